//! A PostgreSQL server with a certificate, and schemas of their own on it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use weir_store::{Postgres, PostgresOptions, Store};
use weir_test_postgres::Database;

use crate::place::{Place, hex};

/// A running server.
pub(crate) struct Server {
    pub(crate) database: Database,
    pub(crate) certificate: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Server {
    /// Starts one; none where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (chain, key) = (certificate.cert.pem(), certificate.signing_key.serialize_pem());
        let files = [("server.crt", chain.as_bytes()), ("server.key", key.as_bytes())];
        let settings = "ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\nmax_connections = 200\n";
        Some(Self { database: Database::start_with(settings, &files)?, certificate })
    }

    /// The one that all tests share which leave it running.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Server>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }
}

/// A schema of its own on the shared server.
pub(crate) struct Schema {
    pub(crate) url: String,
    pub(crate) name: String,
}

impl Schema {
    pub(crate) fn new() -> Option<Self> {
        Some(Self::on(Server::shared()?))
    }

    pub(crate) fn on(server: &Server) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("weir_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        Self { url: server.database.socket_url(), name }
    }

    pub(crate) fn options(&self) -> PostgresOptions {
        PostgresOptions { schema: self.name.clone(), timeout: Duration::from_mins(1), ..PostgresOptions::default() }
    }
}

impl Place for Schema {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(Postgres::open(&self.url, self.options()).unwrap())
    }

    fn execute(&self, sql: &str) {
        let mut client = postgres::Client::connect(&self.url, postgres::NoTls).unwrap();
        client.batch_execute(&format!("set search_path = {}; {sql}", self.name)).unwrap();
    }

    fn damage(&self, id: &str) {
        self.damage_column("body", id);
    }

    fn damage_id(&self, id: &str) {
        self.damage_column("id", id);
    }

    fn bytes(&self, bytes: &[u8]) -> String {
        format!("'\\x{}'", hex(bytes))
    }
}

impl Schema {
    /// Makes a text of the document with this id one that is no UTF-8.
    fn damage_column(&self, column: &str, id: &str) {
        // The server checks what it is sent, unless it takes the database for one of bytes.
        let connect = || postgres::Client::connect(&self.url, postgres::NoTls).unwrap();
        let encoding = |number: u8| {
            let name = "datname = current_database()";
            connect().batch_execute(&format!("update pg_database set encoding = {number} where {name}")).unwrap();
        };
        encoding(0);
        let text = format!(
            "set search_path = {}; set client_encoding = 'SQL_ASCII'; \
             update documents set {column} = convert_from('\\x7bff7d'::bytea, 'SQL_ASCII') where id = '{id}'",
            self.name
        );
        let damaged = connect().batch_execute(&text);
        encoding(6);
        damaged.unwrap();
    }
}

//! Requests to one repository of a registry: every answer is read within a bound, redirects lose the credential.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Client, Method, NoProxy, Proxy, Response, StatusCode, Url};
use serde::Deserialize;
use weir_config::Secret;
use weir_sandbox::digest::Digest;
use weir_upstream::http_client::{builder, read_body};

use super::challenge::Challenge;
use super::error::RegistryError;
use super::manifest::{Descriptor, IMAGE, INDEX, Index};
use super::reference::Reference;

/// The largest manifest, the largest list of referrers, and the largest answer with a token, in bytes.
const MAX_MANIFEST: usize = 4 << 20;
const MAX_TOKEN: usize = 64 << 10;
/// How much of an error's text is read.
const MAX_ERROR: usize = 4 << 10;
/// The longest time of one request.
const TIMEOUT: Duration = Duration::from_mins(2);
/// The most redirects to a part.
const REDIRECTS: usize = 5;

/// A name and a password, or a token in place of a password.
#[derive(Debug, Clone)]
pub struct Login {
    /// The name.
    pub user: String,
    /// Sent to the registry and to the issuer of its tokens only.
    pub password: Secret,
}

/// One repository of a registry.
#[derive(Debug)]
pub struct Registry {
    client: Client,
    /// `https://REGISTRY/v2/NAME/`.
    base: Url,
    name: String,
    login: Option<Login>,
    /// The header that the registry's last challenge led to.
    credential: Mutex<Option<HeaderValue>>,
}

/// A request: its method, its header and its body.
#[derive(Debug, Clone, Default)]
struct RegistryRequest {
    method: Method,
    headers: HeaderMap,
    body: Bytes,
}

impl Registry {
    /// The repository of a reference; `mirror` is a host that is asked in place of the reference's registry, and
    /// `proxy` the url of a proxy, whose exceptions are those of `NO_PROXY`.
    pub fn new(
        reference: &Reference,
        mirror: Option<&str>,
        proxy: Option<&str>,
        login: Option<Login>,
    ) -> Result<Self, RegistryError> {
        let asked = Reference { registry: mirror.unwrap_or(&reference.registry).to_owned(), ..reference.clone() };
        let scheme = if asked.is_local() { "http" } else { "https" };
        let base = format!("{scheme}://{}/v2/{}/", asked.registry, asked.name);
        let base = Url::parse(&base).map_err(|_| RegistryError::Address(asked.registry.clone()))?;
        let mut client = builder()?.timeout(TIMEOUT);
        if let Some(proxy) = proxy {
            client = client.proxy(Proxy::all(proxy)?.no_proxy(NoProxy::from_env()));
        }
        let client = client.build()?;
        Ok(Self { client, base, name: asked.name, login, credential: Mutex::default() })
    }

    /// The manifest with this tag or digest, with its digest.
    pub(crate) async fn manifest(&self, target: &str) -> Result<(Bytes, Digest), RegistryError> {
        let mut request = RegistryRequest::default();
        request.headers.insert(ACCEPT, HeaderValue::from_static(IMAGE));
        // A list of manifests is asked for as well, so that the error can say what it is.
        request.headers.append(ACCEPT, HeaderValue::from_static(INDEX));
        let answer = self.call(self.at(&format!("manifests/{target}"))?, &request).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Err(RegistryError::Missing(target.to_owned()));
        }
        let answer = checked(answer).await?;
        let named = answer.headers().get("docker-content-digest").and_then(|value| value.to_str().ok()?.parse().ok());
        let bytes = read_body(answer, MAX_MANIFEST).await?;
        let found = Digest::of(&bytes);
        let expected = target.parse().ok().or(named).unwrap_or(found);
        same("the manifest", expected, found)?;
        Ok((bytes, found))
    }

    /// The bytes that a descriptor names, at most `limit` of them.
    pub(crate) async fn blob(
        &self,
        what: &'static str,
        blob: &Descriptor,
        limit: usize,
    ) -> Result<Bytes, RegistryError> {
        if blob.size > limit as u64 {
            return Err(RegistryError::TooLarge { what, size: blob.size, limit });
        }
        let mut url = self.at(&format!("blobs/{}", blob.digest))?;
        for _ in 0..=REDIRECTS {
            let answer = self.call(url.clone(), &RegistryRequest::default()).await?;
            if answer.status().is_redirection() {
                url = self.location(&url, &answer)?;
                continue;
            }
            let bytes = read_body(checked(answer).await?, blob.size as usize).await?;
            same(what, blob.digest, Digest::of(&bytes))?;
            return Ok(bytes);
        }
        Err(RegistryError::Address(format!("more than {REDIRECTS} places")))
    }

    /// Uploads bytes, unless the registry has them.
    pub(crate) async fn put_blob(&self, bytes: Bytes) -> Result<(), RegistryError> {
        let digest = Digest::of(&bytes);
        let there = RegistryRequest { method: Method::HEAD, ..RegistryRequest::default() };
        if self.call(self.at(&format!("blobs/{digest}"))?, &there).await?.status() == StatusCode::OK {
            return Ok(());
        }
        let begin = RegistryRequest { method: Method::POST, ..RegistryRequest::default() };
        let url = self.at("blobs/uploads/")?;
        let begun = checked(self.call(url.clone(), &begin).await?).await?;
        let mut place = self.location(&url, &begun)?;
        place.query_pairs_mut().append_pair("digest", &digest.to_string());
        let mut request = RegistryRequest { method: Method::PUT, body: bytes, ..RegistryRequest::default() };
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        checked(self.call(place, &request).await?).await.map(drop)
    }

    /// Puts a manifest under a tag or its digest; returns whether the registry lists what refers to what by itself.
    pub(crate) async fn put_manifest(
        &self,
        target: &str,
        media: &'static str,
        bytes: Bytes,
    ) -> Result<bool, RegistryError> {
        let mut request = RegistryRequest { method: Method::PUT, body: bytes, ..RegistryRequest::default() };
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        let answer = checked(self.call(self.at(&format!("manifests/{target}"))?, &request).await?).await?;
        Ok(answer.headers().contains_key("oci-subject"))
    }

    /// What refers to a manifest: from the registry's list, or from the tag that stands for it where there is none.
    pub(crate) async fn referrers(&self, subject: Digest) -> Result<Index, RegistryError> {
        let answer = self.call(self.at(&format!("referrers/{subject}"))?, &RegistryRequest::default()).await?;
        let bytes = if answer.status() == StatusCode::OK {
            read_body(answer, MAX_MANIFEST).await?
        } else {
            match self.manifest(&fallback_tag(subject)).await {
                Ok((bytes, _)) => bytes,
                Err(RegistryError::Missing(_)) => return Ok(Index::default()),
                Err(error) => return Err(error),
            }
        };
        serde_json::from_slice(&bytes).map_err(|error| RegistryError::NoAdapter(format!("what refers to it: {error}")))
    }

    fn at(&self, path: &str) -> Result<Url, RegistryError> {
        self.base.join(path).map_err(|_| RegistryError::Address(path.to_owned()))
    }

    /// Where an answer leads: over TLS, or on this machine.
    fn location(&self, from: &Url, answer: &Response) -> Result<Url, RegistryError> {
        let text = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let url = from.join(text).map_err(|_| RegistryError::Address(text.to_owned()))?;
        self.may_follow(&url)?;
        Ok(url)
    }

    fn may_follow(&self, url: &Url) -> Result<(), RegistryError> {
        let is_plain_here =
            self.base.scheme() == "http" && url.scheme() == "http" && url.host_str().is_some_and(is_local);
        if url.scheme() == "https" || is_plain_here { Ok(()) } else { Err(RegistryError::Address(url.to_string())) }
    }

    /// Sends a request; after a challenge once more, with what the challenge asks for. Only the registry itself gets
    /// the credential.
    async fn call(&self, url: Url, request: &RegistryRequest) -> Result<Response, RegistryError> {
        let is_own = url.origin() == self.base.origin();
        let mut is_first = true;
        loop {
            let mut builder = self.client.request(request.method.clone(), url.clone()).headers(request.headers.clone());
            if request.method != Method::GET && request.method != Method::HEAD {
                builder = builder.body(request.body.clone());
            }
            let credential = self.credential.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(credential) = credential.filter(|_| is_own) {
                builder = builder.header(AUTHORIZATION, credential);
            }
            let answer = builder.send().await?;
            if answer.status() != StatusCode::UNAUTHORIZED || !is_own || !is_first {
                return Ok(answer);
            }
            is_first = false;
            let credential = self.meet(answer, request.method == Method::GET || request.method == Method::HEAD).await?;
            *self.credential.lock().unwrap_or_else(PoisonError::into_inner) = Some(credential);
        }
    }

    /// The credential that a challenge asks for.
    async fn meet(&self, answer: Response, reads: bool) -> Result<HeaderValue, RegistryError> {
        let mut values = answer.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenge = values.find_map(Challenge::read);
        let no_login = || RegistryError::Login(format!("it is {}", self.base.authority()));
        match challenge {
            None => Err(no_login()),
            Some(Challenge::Basic) => sensitive(&basic(self.login.as_ref().ok_or_else(no_login)?)),
            Some(Challenge::Bearer { realm, service }) => self.token(&realm, service.as_deref(), reads).await,
        }
    }

    async fn token(&self, realm: &str, service: Option<&str>, reads: bool) -> Result<HeaderValue, RegistryError> {
        let mut url = Url::parse(realm).map_err(|_| RegistryError::Address(realm.to_owned()))?;
        self.may_follow(&url)?;
        let rights = if reads { "pull" } else { "pull,push" };
        url.query_pairs_mut().extend_pairs(service.map(|service| ("service", service)));
        url.query_pairs_mut().append_pair("scope", &format!("repository:{}:{rights}", self.name));
        let mut request = self.client.get(url);
        if let Some(login) = &self.login {
            request = request.header(AUTHORIZATION, sensitive(&basic(login))?);
        }
        let answer = request.send().await?;
        if !answer.status().is_success() {
            return Err(RegistryError::Login(format!("its token server answers {}", answer.status().as_u16())));
        }
        let bytes = read_body(answer, MAX_TOKEN).await?;
        let token: Token = serde_json::from_slice(&bytes)
            .map_err(|_| RegistryError::Login("its token server sends no token".to_owned()))?;
        let token = token.token.or(token.access_token);
        let token = token.ok_or_else(|| RegistryError::Login("its token server sends no token".to_owned()))?;
        sensitive(&format!("Bearer {token}"))
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// The tag that stands for the list of what refers to a manifest, at registries that have no such list.
pub(crate) fn fallback_tag(subject: Digest) -> String {
    subject.to_string().replace(':', "-")
}

fn is_local(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

fn basic(login: &Login) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", login.user, login.password.expose())))
}

fn sensitive(text: &str) -> Result<HeaderValue, RegistryError> {
    let mut value =
        HeaderValue::from_str(text).map_err(|_| RegistryError::Login("no header can hold what it expects".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn same(what: &'static str, expected: Digest, found: Digest) -> Result<(), RegistryError> {
    if expected == found { Ok(()) } else { Err(RegistryError::Digest { what, expected, found }) }
}

/// The answer if it is a success, and else what it says.
async fn checked(answer: Response) -> Result<Response, RegistryError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    if status == StatusCode::UNAUTHORIZED {
        return Err(RegistryError::Login("it does not accept this login".to_owned()));
    }
    let text = read_body(answer, MAX_ERROR).await.unwrap_or_default();
    let error = serde_json::from_slice::<Errors>(&text).ok().and_then(|errors| errors.errors.into_iter().next());
    let shown =
        error.map(|error| format!(": {}", error.message.chars().filter(|c| !c.is_control()).collect::<String>()));
    Err(RegistryError::Status(status.as_u16(), shown.unwrap_or_default()))
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<ErrorEntry>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    message: String,
}

//! `weir init`: writes a first configuration, after a few questions.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::USUAL_FILE;
use super::failure::{CommandError, Failure};
use crate::app;
use weir_config::{Address, Server};
use weir_import::first;
use weir_import::first::{Choice, Found, Named, OwnServer};

/// How many invalid answers to a question are accepted before the default is used.
const TRIES: usize = 3;

#[derive(Debug, Args)]
pub(super) struct Init {
    /// Where to write the configuration. An existing file is not overwritten.
    #[arg(short, long, value_name = "FILE", default_value = USUAL_FILE)]
    out: PathBuf,
    /// Asks nothing: takes every provider whose usual key variable is set, on the usual port.
    #[arg(short, long)]
    yes: bool,
}

pub(super) fn run(asked: &Init) -> ExitCode {
    super::finish(write(asked))
}

/// Why no configuration is written.
#[derive(Debug, thiserror::Error)]
enum InitError {
    /// The file exists.
    #[error("{} is there already and is not overwritten; --out names another file", .0.display())]
    Exists(PathBuf),
    /// The terminal is gone.
    #[error(transparent)]
    Dialogue(io::Error),
    /// No provider was chosen, or none can be.
    #[error("{0}")]
    Nothing(String),
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritten { path: PathBuf, source: io::Error },
}

impl CommandError for InitError {}

fn write(asked: &Init) -> Result<String, Failure> {
    let out = &asked.out;
    if out.exists() {
        return Err(InitError::Exists(out.clone()).into());
    }
    let known = look()?;
    let choice = if asked.yes {
        known.usual()
    } else {
        known.ask(&mut Dialogue { from: io::stdin().lock(), to: io::stdout().lock() }).map_err(InitError::Dialogue)?
    };
    let draft = first::draft(&choice).ok_or_else(|| InitError::Nothing(known.nothing()))?;
    let failed = |source| InitError::Unwritten { path: out.clone(), source };
    let mut file = File::create_new(out).map_err(failed)?;
    let source = if asked.yes { "the environment" } else { "the answers to `weir init`" };
    file.write_all(draft.text(source).as_bytes()).map_err(failed)?;
    Ok(next_steps(out, choice.port))
}

fn next_steps(out: &Path, port: Option<u16>) -> String {
    let usual = Server::default();
    let (host, port) = (usual.host, port.unwrap_or(usual.port));
    let config = if out == Path::new(USUAL_FILE) { String::new() } else { format!(" --config {}", out.display()) };
    format!(
        "{} written. Next:\n  weir check{config}\n  weir serve{config}\n  curl http://{host}:{port}/    lists what is served",
        out.display()
    )
}

/// The options to choose from.
struct InitOptions {
    found: Vec<Found>,
    /// The loaded adapters.
    adapters: Vec<String>,
    /// The key variables that are searched for.
    variables: Vec<String>,
    /// The folder of the adapters.
    dir: PathBuf,
}

fn look() -> Result<InitOptions, Failure> {
    let config = super::without_file()?;
    let plugins = app::load_plugins(&config)?;
    app::require_adapters(&config, &plugins)?;
    let serving = app::derive(&config, &plugins)?;
    let snapshot = plugins.snapshot();
    let suggested = || snapshot.adapters.iter().map(|(name, adapter)| (name.as_ref(), &adapter.manifest.suggests));
    let of_providers = snapshot.adapters.values().filter(|adapter| adapter.guard.is_none());
    Ok(InitOptions {
        found: first::found(&serving.config, suggested()),
        adapters: of_providers.map(|adapter| adapter.name.to_string()).collect(),
        variables: suggested().filter_map(|(_, suggests)| suggests.key_variables.first().cloned()).collect(),
        dir: config.plugins.dir.clone(),
    })
}

impl InitOptions {
    /// The choice without questions: only providers whose url is pinned.
    fn usual(&self) -> Choice {
        let (taken, left): (Vec<Found>, Vec<Found>) = self.found.iter().cloned().partition(|one| one.url.is_some());
        for one in left {
            super::print_stderr(&format!(
                "note: `{0}` is left out: nothing pins its adapter in the lock file, so its url is not taken without asking; \
                 `weir plugin install {1}` pins it",
                one.adapter,
                self.dir.join(format!("{}.wasm", one.adapter)).display()
            ));
        }
        Choice { providers: taken, ..Choice::default() }
    }

    fn nothing(&self) -> String {
        let others: Vec<&str> = self.variables.iter().map(String::as_str).filter(|name| !self.is_set(name)).collect();
        if others.len() < self.variables.len() {
            return "there is nothing to serve: no provider whose key variable is set was taken, and no url of a server of your own"
                .to_owned();
        }
        format!(
            "there is nothing to serve: set a provider's key variable ({}), or give the url of a server of your own",
            others.join(", ")
        )
    }

    /// Whether a key variable is set.
    fn is_set(&self, variable: &str) -> bool {
        self.found.iter().any(|one| one.variable == variable)
    }

    fn ask<R: BufRead, W: Write>(&self, dialogue: &mut Dialogue<R, W>) -> io::Result<Choice> {
        let mut choice = Choice::default();
        if self.found.is_empty() {
            dialogue.print(&format!("No provider's usual key variable is set ({}).", self.variables.join(", ")))?;
        }
        for one in &self.found {
            let question = format!("Serve `{}` with the key in {}?", one.adapter, one.variable);
            if !dialogue.yes(&question)? {
                continue;
            }
            let url = match &one.url {
                Some(url) => Some(url.clone()),
                None => dialogue
                    .url(&format!("The url of `{}`, with its version path (empty leaves it out)", one.adapter))?,
            };
            choice.providers.extend(url.map(|url| Found { url: Some(url), ..one.clone() }));
        }
        choice.own = self.own(dialogue)?;
        choice.named = named(&choice.providers, dialogue)?;
        choice.port = Some(port(dialogue)?);
        Ok(choice)
    }

    fn own<R: BufRead, W: Write>(&self, dialogue: &mut Dialogue<R, W>) -> io::Result<Option<OwnServer>> {
        let question = "The url of a server of your own, such as http://localhost:11434/v1/ (empty for none)";
        let Some(url) = dialogue.url(question)? else { return Ok(None) };
        let adapters: Vec<&str> = self.adapters.iter().map(String::as_str).collect();
        let question = format!("Which adapter has its format ({})?", adapters.join(", "));
        let Some(adapter) = dialogue.one_of(&question, &adapters)? else {
            dialogue.print(&format!("{url} is left out."))?;
            return Ok(None);
        };
        let alias = dialogue.name("What clients call its model", "local")?;
        let model = dialogue.line("What it calls the model itself (empty: the same)", "")?;
        Ok(Some(OwnServer { url, adapter, alias, model: Some(model).filter(|model| !model.is_empty()) }))
    }
}

fn named<R: BufRead, W: Write>(providers: &[Found], dialogue: &mut Dialogue<R, W>) -> io::Result<Option<Named>> {
    let names: Vec<&str> = providers.iter().map(|one| one.adapter.as_str()).collect();
    let Some(first) = names.first() else { return Ok(None) };
    let alias = dialogue.name("A name of your own for a model, such as `fast` (empty for none)", "")?;
    if alias.is_empty() {
        return Ok(None);
    }
    let provider = match names.as_slice() {
        [only] => Some((*only).to_owned()),
        several => dialogue.one_of(&format!("Whose model ({})? [{first}]", several.join(", ")), several)?,
    };
    let provider = provider.unwrap_or_else(|| (*first).to_owned());
    let model = dialogue.line(&format!("Which model of `{provider}`"), "")?;
    Ok((!model.is_empty()).then_some(Named { alias, provider, model }))
}

fn port<R: BufRead, W: Write>(dialogue: &mut Dialogue<R, W>) -> io::Result<u16> {
    let usual = Server::default().port;
    for _ in 0..TRIES {
        match dialogue.line("The port to listen on", &usual.to_string())?.parse() {
            Ok(port) if port > 0 => return Ok(port),
            _ => dialogue.print("A port is a number from 1 to 65535.")?,
        }
    }
    Ok(usual)
}

/// Asks questions. At the end of the input every answer is the default.
struct Dialogue<R, W> {
    from: R,
    to: W,
}

impl<R: BufRead, W: Write> Dialogue<R, W> {
    fn print(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.to, "{text}")
    }

    fn line(&mut self, question: &str, usual: &str) -> io::Result<String> {
        let shown = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
        write!(self.to, "{question}{shown}: ")?;
        self.to.flush()?;
        let mut line = String::new();
        if self.from.read_line(&mut line)? == 0 {
            self.print("")?;
        }
        let line = line.trim();
        Ok(if line.is_empty() { usual.to_owned() } else { line.to_owned() })
    }

    fn yes(&mut self, question: &str) -> io::Result<bool> {
        let answer = self.line(question, "Y/n")?;
        Ok(!answer.to_ascii_lowercase().starts_with('n'))
    }

    /// Asks for a name without spaces.
    fn name(&mut self, question: &str, usual: &str) -> io::Result<String> {
        for _ in 0..TRIES {
            let name = self.line(question, usual)?;
            if !name.contains(char::is_whitespace) {
                return Ok(name);
            }
            self.print("A name has no spaces.")?;
        }
        Ok(usual.to_owned())
    }

    fn url(&mut self, question: &str) -> io::Result<Option<String>> {
        for _ in 0..TRIES {
            let text = self.line(question, "")?;
            if text.is_empty() {
                return Ok(None);
            }
            match Address::parse(&text, Path::new("")) {
                Ok(address) => return Ok(Some(address.to_string())),
                Err(error) => self.print(&format!("{error}."))?,
            }
        }
        Ok(None)
    }

    fn one_of(&mut self, question: &str, known: &[&str]) -> io::Result<Option<String>> {
        for _ in 0..TRIES {
            let answer = self.line(question, "")?;
            if answer.is_empty() {
                return Ok(None);
            }
            if known.contains(&answer.as_str()) {
                return Ok(Some(answer));
            }
            self.print(&format!("It is one of {}.", known.join(", ")))?;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> InitOptions {
        let found = |adapter: &str, url: Option<&str>| Found {
            adapter: adapter.into(),
            variable: format!("{}_KEY", adapter.to_uppercase()),
            url: url.map(str::to_owned),
            models: vec![format!("{adapter}-*")],
        };
        InitOptions {
            found: vec![found("eta", None), found("zeta", Some("https://zeta.example/v1/"))],
            adapters: vec!["eta".into(), "zeta".into()],
            variables: vec!["ETA_KEY".into(), "ZETA_KEY".into()],
            dir: "plugins".into(),
        }
    }

    fn asked(answers: &str) -> (Choice, String) {
        let mut to = Vec::new();
        let choice = known().ask(&mut Dialogue { from: answers.as_bytes(), to: &mut to }).unwrap();
        (choice, String::from_utf8(to).unwrap())
    }

    #[test]
    fn answers_become_choices() {
        let (choice, _) = asked("n\ny\nhttp://localhost:1/v1\nzeta\nmine\nthe-model\nfast\nzeta-mini\n9000\n");
        let names: Vec<&str> = choice.providers.iter().map(|one| one.adapter.as_str()).collect();
        assert_eq!((names, choice.port), (vec!["zeta"], Some(9000)));
        let own = choice.own.unwrap();
        assert_eq!((own.url.as_str(), own.alias.as_str()), ("http://localhost:1/v1/", "mine"));
        assert_eq!(choice.named.unwrap().model, "zeta-mini");
    }

    #[test]
    fn the_end_of_the_input_takes_the_defaults() {
        let (choice, _) = asked("");
        let names: Vec<&str> = choice.providers.iter().map(|one| one.adapter.as_str()).collect();
        assert_eq!((names, choice.own, choice.named), (vec!["zeta"], None, None), "no url is taken unasked");
        assert_eq!(choice.port, Some(8080));
    }

    #[test]
    fn a_server_without_an_adapter_is_left_out_aloud() {
        let (choice, output) = asked("n\nn\nhttp://localhost:1/v1\n\n");
        assert!(choice.own.is_none() && output.contains("http://localhost:1/v1/ is left out."), "{output}");
    }

    #[test]
    fn an_invalid_answer_is_asked_again_a_few_times() {
        let (choice, output) = asked("n\nn\nftp://x\nhttp://localhost:1/\nnobody\nzeta\n\n\n0\nmany\n70000\n");
        assert!(output.contains("a url starts with https://") && output.contains("one of eta, zeta"), "{output}");
        assert_eq!((choice.own.unwrap().alias.as_str(), choice.port), ("local", Some(8080)));
    }
}

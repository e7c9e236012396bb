//! What each vendor's models take, by words of their ids. Of a model that is not known, nothing is checked.

/// The vendor of a model, if it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    Claude,
    Nova,
    GptOss,
    /// OpenAI's other models.
    Openai,
    Mistral,
    Cohere,
    Writer,
    /// A vendor whose models take only members of the format itself.
    Other,
    /// Unknown: nothing is checked.
    Unknown,
}

/// The choices among tools that a model takes. Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Choices {
    /// No member `toolChoice`.
    None,
    /// The model's own choice.
    Auto,
    /// A call of any tool.
    Any,
    /// A call of the named tool.
    Named,
}

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Features {
    /// Whether the service enforces schemas.
    pub(crate) schemas: bool,
    pub(crate) choices: Choices,
    /// Whether answers with tools are streamed.
    pub(crate) streams_tools: bool,
    /// Whether results of tools must have a turn of their own.
    pub(crate) results_alone: bool,
}

impl Features {
    pub(crate) const ALL: Self =
        Self { schemas: true, choices: Choices::Named, streams_tools: true, results_alone: false };
    pub(super) const NO_SCHEMAS: Self = Self { schemas: false, ..Self::ALL };
    const LLAMA: Self = Self { schemas: false, choices: Choices::Auto, streams_tools: false, results_alone: true };
    const LLAMA_WITHOUT_TOOLS: Self = Self { choices: Choices::None, ..Self::LLAMA };
    const MISTRAL: Self = Self { results_alone: true, ..Self::ALL };
    /// Mistral's models from before the service could enforce schemas.
    const OLD_MISTRAL: Self = Self { schemas: false, streams_tools: false, ..Self::MISTRAL };
    const OLD_MISTRAL_LARGE: Self = Self { choices: Choices::Any, ..Self::OLD_MISTRAL };
    const WRITER: Self = Self { schemas: false, streams_tools: false, results_alone: true, ..Self::ALL };
}

/// Words of models' ids, and what these models take. The first word that an id has counts.
const MODELS: [(&str, Vendor, Features); 44] = [
    ("gpt-oss", Vendor::GptOss, Features::ALL),
    ("openai.", Vendor::Openai, Features::ALL),
    ("mistral-large-2402", Vendor::Mistral, Features::OLD_MISTRAL_LARGE),
    ("mistral-large-2407", Vendor::Mistral, Features::OLD_MISTRAL_LARGE),
    ("mistral-small-2402", Vendor::Mistral, Features::OLD_MISTRAL),
    ("mistral-7b", Vendor::Mistral, Features::OLD_MISTRAL),
    ("mixtral", Vendor::Mistral, Features::OLD_MISTRAL),
    ("pixtral", Vendor::Mistral, Features::OLD_MISTRAL),
    ("mistral", Vendor::Mistral, Features::MISTRAL),
    ("ministral", Vendor::Mistral, Features::MISTRAL),
    ("magistral", Vendor::Mistral, Features::MISTRAL),
    ("voxtral", Vendor::Mistral, Features::MISTRAL),
    ("devstral", Vendor::Mistral, Features::MISTRAL),
    ("cohere", Vendor::Cohere, Features::NO_SCHEMAS),
    ("command-", Vendor::Cohere, Features::NO_SCHEMAS),
    ("titan", Vendor::Other, Features::NO_SCHEMAS),
    ("llama4", Vendor::Other, Features::LLAMA),
    ("llama3-3", Vendor::Other, Features::LLAMA),
    ("llama3-2-90b", Vendor::Other, Features::LLAMA),
    ("llama3-2-11b", Vendor::Other, Features::LLAMA),
    ("llama3-1", Vendor::Other, Features::LLAMA),
    ("llama3", Vendor::Other, Features::LLAMA_WITHOUT_TOOLS),
    ("llama2", Vendor::Other, Features::LLAMA_WITHOUT_TOOLS),
    ("meta.", Vendor::Other, Features::NO_SCHEMAS),
    ("llama", Vendor::Other, Features::NO_SCHEMAS),
    ("ai21.", Vendor::Other, Features::NO_SCHEMAS),
    ("jamba", Vendor::Other, Features::NO_SCHEMAS),
    ("deepseek.r1", Vendor::Other, Features::NO_SCHEMAS),
    ("stability.", Vendor::Other, Features::NO_SCHEMAS),
    ("writer.", Vendor::Writer, Features::WRITER),
    ("palmyra", Vendor::Writer, Features::WRITER),
    ("luma.", Vendor::Other, Features::NO_SCHEMAS),
    ("twelvelabs.", Vendor::Other, Features::NO_SCHEMAS),
    ("deepseek.", Vendor::Other, Features::ALL),
    ("qwen", Vendor::Other, Features::ALL),
    ("moonshot", Vendor::Other, Features::ALL),
    ("kimi", Vendor::Other, Features::ALL),
    ("minimax", Vendor::Other, Features::ALL),
    ("nvidia.", Vendor::Other, Features::ALL),
    ("nemotron", Vendor::Other, Features::ALL),
    ("google.", Vendor::Other, Features::ALL),
    ("gemma", Vendor::Other, Features::ALL),
    ("zai.", Vendor::Other, Features::ALL),
    ("glm-", Vendor::Other, Features::ALL),
];

/// The vendor of a model that is neither Claude nor Nova, and what it takes, by its id in small letters.
pub(super) fn of(id: &str) -> Option<(Vendor, Features)> {
    MODELS.iter().find(|(word, ..)| id.contains(word)).map(|(_, vendor, features)| (*vendor, *features))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_reached() {
        for (at, (word, ..)) in MODELS.iter().enumerate() {
            assert!(!MODELS[..at].iter().any(|(before, ..)| word.contains(before)), "{word}");
        }
    }

    #[test]
    fn models_of_one_vendor_differ_in_what_they_take() {
        let takes = |id: &str| of(id).map(|(_, it)| (it.choices, it.streams_tools, it.results_alone));
        assert_eq!(takes("us.meta.llama3-2-90b-instruct-v1:0"), Some((Choices::Auto, false, true)));
        assert_eq!(takes("us.meta.llama3-2-3b-instruct-v1:0"), Some((Choices::None, false, true)));
        assert_eq!(takes("us.meta.llama4-scout-17b-instruct-v1:0"), Some((Choices::Auto, false, true)));
        assert_eq!(takes("meta.llama5-x-v1:0"), Some((Choices::Named, true, false)));
        assert_eq!(takes("mistral.mistral-large-2407-v1:0"), Some((Choices::Any, false, true)));
        assert_eq!(takes("mistral.mistral-large-3-675b-instruct"), Some((Choices::Named, true, true)));
        assert_eq!(takes("us.writer.palmyra-x5-v1:0"), Some((Choices::Named, false, true)));
        assert_eq!(takes("qwen.qwen3-32b-v1:0"), Some((Choices::Named, true, false)));
        assert_eq!(takes("an-own-name"), None);
    }
}

//! Azure `OpenAI` and the models of Azure AI Foundry: the v1 path, deployments with an `api-version`, and `models/`.
//!
//! Source: Microsoft's REST reference of Azure `OpenAI`, its page on the v1 API, and the reference of model inference.

use weir_sdk::compat::gpt::chosen_format::Functions;
use weir_sdk::compat::names::IdRule;
use weir_sdk::compat::quirks::{Drop, Media, Paths, Scheme, Thinking, Variant};
use weir_sdk::compat::relayed::Relayed;
use weir_sdk::compat::responses::ANYBODY;
use weir_sdk::compat::{Provider, Quirks, gpt};

/// The adapter.
#[derive(Debug)]
pub struct AzureOpenAi;

impl Provider for AzureOpenAi {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "azure-openai",
        description: "Azure OpenAI: chat, completions, Responses, embeddings, images, audio and models",
        family: "openai",
        url: Some("{env.AZURE_OPENAI_ENDPOINT}/"),
        key_variables: &["AZURE_OPENAI_API_KEY", "AZURE_API_KEY"],
        settings: SETTINGS,
        auth: &[Scheme::Header("api-key"), Scheme::Bearer, ENTRA],
        paths: Paths {
            chat: "openai/v1/chat/completions",
            completions: "openai/v1/completions",
            responses: "openai/v1/responses",
            embeddings: "openai/v1/embeddings",
            models: "openai/v1/models",
            relayed: &[
                (Relayed::Images, "openai/v1/images/generations"),
                (Relayed::ImageEdits, "openai/v1/images/edits"),
                (Relayed::Speech, "openai/v1/audio/speech"),
                (Relayed::Transcriptions, "openai/v1/audio/transcriptions"),
                (Relayed::Translations, "openai/v1/audio/translations"),
            ],
            ..Paths::NONE
        },
        variants: &[
            Variant { option: "api_version", query: "api-version", paths: DEPLOYMENTS },
            Variant { option: "inference_version", query: "api-version", paths: INFERENCE },
        ],
        max_tokens: "max_completion_tokens",
        drops: &[Drop::unknown("top_k"), Drop::unknown("min_p"), Drop::unknown("repetition_penalty")],
        developer_role: true,
        allowed_tools: true,
        tool_types: &["custom"],
        // Of `safety_identifier` by its description; the servers hold `user` to it as well.
        max_user: 64,
        tool_ids: IdRule { max: 40, also: None, exact: false },
        efforts: gpt::EFFORTS,
        thinking: Thinking::None,
        issuers: &["openai", ANYBODY],
        media: Media { audio: true, files: true, ..Quirks::COMPATIBLE.media },
        prepare: gpt::prepare_known,
        ..Quirks::COMPATIBLE
    };
    const ASKED_IN_RESPONSES: Option<Functions> = Some(Functions::Said);
}

/// Tokens of an application registered with Entra.
const ENTRA: Scheme = Scheme::ClientCredentials(
    "entra",
    "https://login.microsoftonline.com/{option.tenant}/oauth2/v2.0/token",
    "https://cognitiveservices.azure.com/.default",
);

const DEPLOYMENTS: Paths = Paths {
    chat: "openai/deployments/{model}/chat/completions",
    completions: "openai/deployments/{model}/completions",
    responses: "openai/responses",
    embeddings: "openai/deployments/{model}/embeddings",
    models: "openai/models",
    relayed: &[
        (Relayed::Images, "openai/deployments/{model}/images/generations"),
        (Relayed::ImageEdits, "openai/deployments/{model}/images/edits"),
        (Relayed::Speech, "openai/deployments/{model}/audio/speech"),
        (Relayed::Transcriptions, "openai/deployments/{model}/audio/transcriptions"),
        (Relayed::Translations, "openai/deployments/{model}/audio/translations"),
    ],
    ..Paths::NONE
};

const INFERENCE: Paths = Paths { chat: "models/chat/completions", embeddings: "models/embeddings", ..Paths::NONE };

const SETTINGS: &str = r#"{
  "type": "object",
  "properties": {
    "api_version": {"type": "string", "description": "Asks deployments of this API version: `2024-10-21`."},
    "inference_version": {"type": "string", "description": "Asks at `models/` in this API version: `2024-05-01-preview`."},
    "base_model": {"type": "string", "description": "The model behind a deployment whose name does not show it: `gpt-5.1-codex`."},
    "tenant": {"type": "string", "description": "The tenant, where `auth` is `entra`."}
  },
  "additionalProperties": true
}"#;

weir_sdk::export!(AzureOpenAi: about, provider_errors, provider_chat, provider_embeddings, provider_models);

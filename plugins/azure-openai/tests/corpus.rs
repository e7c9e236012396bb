//! Replays recordings of this provider, and the adapter's own ones.

use weir_adapter_azure_openai::AzureOpenAi;

/// Recordings that differ on purpose.
const EXCUSED: &[(&str, &str)] = &[];

weir_corpus::replay!(AzureOpenAi, "azure_openai", EXCUSED);

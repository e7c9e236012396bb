//! Replays what was recorded of this provider, and the adapter's own recordings.

use weir_adapter_azure_openai::AzureOpenAi;

/// What differs on purpose.
const EXCUSED: &[(&str, &str)] = &[];

weir_corpus::replay!(AzureOpenAi, "azure_openai", EXCUSED);

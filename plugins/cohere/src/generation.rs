//! The features of the service's models, derived from their names.

/// Models that don't think: they plan their tool calls in `tool_plan` instead. All others may think.
const PLANNERS: [&str; 7] = [
    "command-r",
    "command-a-03",
    "command-a-vision",
    "command-a-translate",
    "command-light",
    "c4ai-",
    "command-nightly",
];

/// Whether the model is known not to think. Fine-tuned and unknown ones may.
pub(crate) fn never_thinks(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    name == "command" || PLANNERS.iter().any(|known| name.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_plan_are_distinguished_from_models_that_think() {
        for model in ["command-r7b-12-2024", "command-r-plus", "command-a-03-2025", "cohere/command-a-vision-07-2025"] {
            assert!(never_thinks(model), "{model}");
        }
        for model in ["command-a-reasoning-08-2025", "command-a-plus-05-2026", "my-own-model", "north-1"] {
            assert!(!never_thinks(model), "{model}");
        }
    }
}

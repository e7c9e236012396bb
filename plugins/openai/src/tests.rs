//! Tests of what OpenAI's models are sent, by their names.

mod chosen_format;
mod json_mode;
mod thinking;

//! Tools for authors: create a project, build its component, and rebuild it after changes.
//!
//! From nothing to an adapter in the plugins folder:
//!
//! | module | does |
//! |---|---|
//! | [`template`] | writes a new project from embedded files |
//! | [`project`] | reads `adapter.toml` |
//! | [`language`] | lists the languages with a recipe and a template |
//! | [`recipe`] | knows the commands of each language, and hints for missing tools |
//! | [`build`] | runs the commands, and installs the component in the project |
//! | [`component`] | converts core modules to components without imports |
//! | [`sources`] | waits for changes of a project's files |
//! | [`dev`] | repeats: build, prove, install |
//! | [`running`] | asks a running Weir whether it serves the component |

pub mod build;
pub mod component;
pub mod dev;
pub mod language;
pub mod project;
pub mod recipe;
pub mod running;
pub mod sources;
pub mod template;

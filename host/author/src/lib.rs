//! The authors' tools: a new project, the component that is built from it, and building it again whenever it changes.
//!
//! The way of an adapter's source, from nothing to the plugins folder:
//!
//! | module | does |
//! |---|---|
//! | [`template`] | writes a new project, from what is embedded in the program |
//! | [`project`] | reads `adapter.toml` |
//! | [`language`] | the languages that there are recipes and templates for |
//! | [`recipe`] | which commands build a project, and what to say where one is missing |
//! | [`build`] | runs them, and puts the component in its place |
//! | [`component`] | a core module as a component that imports nothing |
//! | [`sources`] | notices that a project's files have changed |
//! | [`dev`] | one round after another: build, prove, install |
//! | [`running`] | asks a running Weir whether it serves the new one |

pub mod build;
pub mod component;
pub mod dev;
pub mod language;
pub mod project;
pub mod recipe;
pub mod running;
pub mod sources;
pub mod template;

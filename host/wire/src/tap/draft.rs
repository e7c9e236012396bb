//! A tap that is being compiled from its manifest.

use super::TapError;
use super::compiled::{Role, Sign, Stage};
use super::filter::Filter;
use super::usage::NeighbourCondition;
use crate::peek::{Test, Wanted};
use weir_types::contract::about::{FrameTest, UnitSource, UsagePlace};

/// A tap that is being compiled.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) wanted: Wanted,
    pub(super) roles: Vec<Vec<Role>>,
    pub(super) besides: Vec<NeighbourCondition>,
    pub(super) on_frames: Vec<(Sign, Test)>,
    pub(super) on_values: Vec<(Sign, Test)>,
    pub(super) counted: Vec<(usize, Test)>,
    pub(super) filter: Filter,
}

impl Draft {
    pub(super) fn role(&mut self, role: Role, pointer: &str) {
        let number = self.wanted.add(pointer);
        if self.roles.len() <= number {
            self.roles.resize(number + 1, Vec::new());
        }
        if let Some(roles) = self.roles.get_mut(number) {
            roles.push(role);
        }
    }

    pub(super) fn usage(&mut self, place: usize, usage: &UsagePlace) -> Result<(), TapError> {
        for pointer in &usage.pointers {
            let mut beside = None;
            if let Some(condition) = &usage.beside {
                self.besides.push(NeighbourCondition::compile(pointer, condition, &mut self.wanted)?);
                beside = Some(self.besides.len() - 1);
            }
            self.role(Role::Usage { place, beside }, pointer);
        }
        self.filter.figures(&usage.pointers);
        Ok(())
    }

    pub(super) fn units(&mut self, place: usize, source: &UnitSource) -> Result<(), TapError> {
        match source {
            UnitSource::Number(pointers) => {
                for pointer in pointers {
                    self.role(Role::Units(place), pointer);
                }
                self.filter.figures(pointers);
            }
            UnitSource::Matches(source) => {
                let test = Test::compile(source, &mut self.wanted)?;
                self.filter.test(source, &test);
                self.counted.push((place, test));
            }
        }
        Ok(())
    }

    pub(super) fn text(&mut self, role: Role, pointer: &str) {
        self.role(role, pointer);
        self.filter.value(pointer, None);
    }

    pub(super) fn tests(&mut self, sign: Sign, tests: &[FrameTest]) -> Result<(), TapError> {
        for source in tests {
            let test = Test::compile(source, &mut self.wanted)?;
            self.filter.test(source, &test);
            match test {
                Test::Event(_) | Test::Data(_) => self.on_frames.push((sign, test)),
                _ => self.on_values.push((sign, test)),
            }
        }
        Ok(())
    }

    pub(super) fn stage(&self) -> Result<Stage, TapError> {
        Ok(Stage { pointers: self.wanted.compile()?, filter: self.filter.build() })
    }
}

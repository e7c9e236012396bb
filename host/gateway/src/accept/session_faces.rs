//! The places of media, models and objects in a client's messages, as the session faces of a format declare them.

use weir_realtime::named::NamePlaces;
use weir_types::contract::about::{BodyKind, Face, FrameTest, Manifest, ModelPlace};

/// The features of a session's messages that are media.
const MEDIA: [&str; 2] = ["audio", "vision"];
/// The feature that lists the places of models besides the session's own.
const FURTHER_MODELS: [&str; 1] = ["models"];

/// The faces of a format whose bodies are sessions.
pub(super) struct SessionFaces<'a>(Vec<&'a Face>);

impl<'a> SessionFaces<'a> {
    pub(super) fn of(manifest: &'a Manifest, format: &str) -> Self {
        let is_of_sessions = |face: &&Face| face.format == format && face.body == BodyKind::Session;
        Self(manifest.faces.iter().filter(is_of_sessions).collect())
    }

    /// Where the messages have media.
    pub(super) fn media(&self) -> Vec<&'a str> {
        self.places(&MEDIA)
    }

    /// Where the messages name models and objects.
    pub(super) fn names(&self) -> NamePlaces<'a> {
        let models = self.0.iter().copied().flat_map(|face| &face.model);
        let own = models.filter_map(|place| if let ModelPlace::Message(place) = place { Some(place) } else { None });
        let objects = self.0.iter().copied().flat_map(Face::own_object_ids).map(String::as_str);
        NamePlaces { own: own.collect(), further: self.places(&FURTHER_MODELS), objects: objects.collect() }
    }

    /// The places of the features with these names.
    fn places(&self, features: &[&str]) -> Vec<&'a str> {
        let all = self.0.iter().copied().flat_map(|face| &face.features);
        let tests = all.filter(|feature| features.contains(&feature.name.as_str())).flat_map(|feature| &feature.tests);
        let places =
            tests.filter_map(|test| if let FrameTest::Present(place) = test { Some(place.as_str()) } else { None });
        places.collect()
    }
}

//! Macros that declare a table of the configuration once, as a struct. They generate the struct, its default, its list
//! of keys and the code that reads them.
//!
//! ```text
//! section! {
//!     /// What the table is for.
//!     QUEUE = "queue = { ... }";
//!     #[derive(Debug, Clone)]
//!     pub struct Queue {
//!         /// Requests that wait at the same time.
//!         length: usize as Count<usize, 0, 1_000_000> = 256,
//!         /// What serves instead.
//!         spare "other": Option<String> => "none of them",
//!     } beside {
//!         /// A field that is no key.
//!         place: Place = Place::Unset,
//!     }
//! }
//! ```
//!
//! A field is a key:
//!
//! - the doc comment is the text of the reference;
//! - a text behind the name is the key's name, if that differs from the field's name;
//! - `as` names what the key takes ([`Take`](super::Take)), where the type alone does not;
//! - `=` sets the default; without it, the default is that of the type;
//! - `=>` sets what the reference shows as the default, or `required` with a hint for a missing key.
//!
//! A field behind `beside` is no key.

/// Declares keys without a table: a part of a table that [`joined!`] puts together.
macro_rules! part {
    (
        $(#[$meta:meta])*
        $vis:vis struct $Name:ident {
            $(
                $(#[doc = $text:literal])*
                $field:ident $($key:literal)? : $type:ty $(as $take:ty)? $(= $default:expr)?
                $(=> $shown:literal)? $(=> required $help:literal)?
            ),* $(,)?
        } $(beside {
            $( $(#[$extra_meta:meta])* $extra:ident : $extra_type:ty = $extra_default:expr ),* $(,)?
        })?
    ) => {
        $(#[$meta])*
        $vis struct $Name {
            $( $(#[doc = $text])* $vis $field: $type, )*
            $($( $(#[$extra_meta])* $vis $extra: $extra_type, )*)?
        }

        impl $Name {
            pub(crate) const KEYS: &'static [$crate::key::Key] = &[
                $( $crate::section::key::<$crate::section::declare::taken!($type $(, $take)?)>(
                    $crate::section::declare::key_name!($field $($key)?),
                    concat!($($text),*),
                    $crate::section::declare::optional!($($help)?),
                    || $crate::section::declare::shown!(
                        <$crate::section::declare::taken!($type $(, $take)?) as $crate::section::Take>::show(
                            &<Self as Default>::default().$field
                        )
                        $(, $shown)?
                    ),
                ), )*
            ];

            /// Takes these keys out of a table. Keys that are left out keep their earlier value.
            pub(crate) fn read(section: &mut $crate::section::Section<'_>, before: Self) -> Self {
                Self {
                    $( $field: section
                        .value::<$crate::section::declare::taken!($type $(, $take)?)>(
                            $crate::section::declare::key_name!($field $($key)?)
                        )
                        .unwrap_or(before.$field), )*
                    $($( $extra: before.$extra, )*)?
                }
            }
        }

        impl Default for $Name {
            fn default() -> Self {
                Self {
                    $( $field: $crate::section::declare::or_default!($($default)?), )*
                    $($( $extra: $extra_default, )*)?
                }
            }
        }
    };
}

/// Declares a table. `at` is its path, if the table exists once; `then` completes the value.
macro_rules! section {
    (
        $(#[doc = $meaning:literal])*
        $KEYS:ident = $title:literal $(at $path:literal)? $(then $then:path)?;
        $(#[$meta:meta])*
        $vis:vis struct $Name:ident $body:tt $(beside $beside:tt)?
    ) => {
        $crate::section::part! {
            $(#[doc = $meaning])*
            $(#[$meta])*
            $vis struct $Name $body $(beside $beside)?
        }

        pub(crate) const $KEYS: $crate::key::Keys = $crate::key::Keys {
            title: $title,
            path: $crate::section::declare::optional!($($path)?),
            text: concat!($($meaning),*),
            list: $Name::KEYS,
        };

        $crate::section::take_table!($Name, $KEYS $(, then $then)?);
    };
}

/// Declares a table as [`section!`] does, and a second struct that holds only the keys that were given, to be laid over
/// the values of another place.
macro_rules! overlay {
    (
        $Given:ident over
        $(#[doc = $meaning:literal])*
        $KEYS:ident = $title:literal;
        $(#[$meta:meta])*
        $vis:vis struct $Name:ident $body:tt
    ) => {
        $crate::section::section! {
            $(#[doc = $meaning])*
            $KEYS = $title;
            $(#[$meta])*
            $vis struct $Name $body
        }
        $crate::section::declare::given!($Given, $Name, $body);
        $crate::section::take_table!($Given, $KEYS);
    };
}

/// The second struct of [`overlay!`].
macro_rules! given {
    (
        $Given:ident, $Name:ident,
        {
            $(
                $(#[doc = $text:literal])*
                $field:ident $($key:literal)? : $type:ty $(as $take:ty)? $(= $default:expr)? $(=> $shown:literal)?
            ),* $(,)?
        }
    ) => {
        #[derive(Debug, Clone, Copy, Default)]
        pub(crate) struct $Given {
            $( $field: Option<$type>, )*
        }

        impl $Given {
            fn read(section: &mut $crate::section::Section<'_>, before: Self) -> Self {
                Self {
                    $( $field: section
                        .value::<$crate::section::declare::taken!($type $(, $take)?)>(
                            $crate::section::declare::key_name!($field $($key)?)
                        )
                        .or(before.$field), )*
                }
            }

            /// Lays these values over others.
            pub(crate) fn over(self, lower: $Name) -> $Name {
                $Name { $( $field: self.$field.unwrap_or(lower.$field), )* }
            }
        }
    };
}

/// Puts a table together from lists of keys.
macro_rules! joined {
    (
        $(#[doc = $meaning:literal])*
        $KEYS:ident = $title:literal $(at $path:literal)?: $($list:expr),+;
    ) => {
        pub(crate) const $KEYS: $crate::key::Keys = $crate::key::Keys {
            title: $title,
            path: $crate::section::declare::optional!($($path)?),
            text: concat!($($meaning),*),
            list: &$crate::key::joined::<{ 0 $(+ $list.len())+ }>(&[$($list),+]),
        };
    };
}

/// Declares a choice among words.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $vis:vis enum $Name:ident {
            $(#[$first_meta:meta])* $First:ident = $first:literal
            $(, $(#[$variant_meta:meta])* $Variant:ident = $word:literal)* $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis enum $Name {
            $(#[$first_meta])* $First,
            $( $(#[$variant_meta])* $Variant, )*
        }

        impl $Name {
            fn word(self) -> &'static str {
                match self {
                    Self::$First => $first,
                    $( Self::$Variant => $word, )*
                }
            }
        }

        impl $crate::section::Take for $Name {
            type Value = Self;
            const TAKES: &'static str = concat!("\"", $first, "\"" $(, ", \"", $word, "\"")*);

            fn take(entry: &$crate::section::Entry<'_, '_>, node: $crate::raw::Node) -> Option<Self> {
                $crate::section::word(entry, node, &[($first, Self::$First) $(, ($word, Self::$Variant))*])
            }

            fn show(default: &Self) -> String {
                format!("\"{}\"", default.word())
            }

            fn example() -> String {
                concat!("\"", $first, "\"").to_owned()
            }
        }
    };
}

/// Implements `Take` for a struct: it is read from a table with these keys, as declared (and completed by `then`), or
/// `by` a function, which returns the struct or an option of it.
macro_rules! take_table {
    ($Name:ident, $KEYS:ident $(, then $then:path)?) => {
        $crate::section::take_table!(@ $Name, $KEYS, section, {
            let read = Self::read(&mut section, Self::default());
            $( let read = $then(read, &section); )?
            Some(read)
        });
    };
    ($Name:ident, $KEYS:ident, by $read:path) => {
        $crate::section::take_table!(@ $Name, $KEYS, section, $read(&mut section).into());
    };
    (@ $Name:ident, $KEYS:ident, $section:ident, $read:expr) => {
        impl $crate::section::Take for $Name {
            type Value = Self;
            const TAKES: &'static str = "table";
            const LIST: &'static str = "list of tables";
            const IS_TABLE: bool = true;

            fn take(entry: &$crate::section::Entry<'_, '_>, node: $crate::raw::Node) -> Option<Self> {
                let mut $section = $crate::section::Section::new(entry.reader(), node, &$KEYS)?;
                let read: Option<Self> = $read;
                $section.finish();
                read
            }

            fn example() -> String {
                $KEYS.example()
            }
        }
    };
}

/// The name of a key: the text, or else the field's name.
macro_rules! key_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

/// What a key takes: the second type, or else the field's.
macro_rules! taken {
    ($type:ty) => {
        $type
    };
    ($type:ty, $take:ty) => {
        $take
    };
}

/// What the reference shows as the default: the text, or else the default itself.
macro_rules! shown {
    ($default:expr) => {
        $default
    };
    ($default:expr, $shown:literal) => {
        $shown.to_owned()
    };
}

/// A text that may be left out.
macro_rules! optional {
    () => {
        None
    };
    ($text:literal) => {
        Some($text)
    };
}

/// A default: the expression, or else the type's own.
macro_rules! or_default {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}

pub(crate) use {
    given, joined, key_name, optional, or_default, overlay, part, section, shown, take_table, taken, words,
};

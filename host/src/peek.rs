//! Sees a few members of a JSON body without parsing it, and splices them.

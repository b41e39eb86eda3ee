//! Files of wire vectors.

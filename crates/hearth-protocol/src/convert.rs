//! Conversions between the wire and the typed requests and answers of the service.

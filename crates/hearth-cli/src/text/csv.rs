//! CSV as RFC 4180 describes it, with `\n` as the end of a record.
//!
//! A field is quoted when it holds a comma, a quote, a line break, or a space at either end. Fields
//! are bytes: a reader that wants text must cope with names that are not Unicode.

/// Appends one record.
pub(crate) fn push_record<'a>(out: &mut Vec<u8>, fields: impl IntoIterator<Item = &'a [u8]>) {
    for (at, field) in fields.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_field(out, field);
    }
    out.push(b'\n');
}

/// Appends one field, quoted where needed.
fn push_field(out: &mut Vec<u8>, field: &[u8]) {
    if !needs_quotes(field) {
        out.extend_from_slice(field);
        return;
    }
    out.push(b'"');
    for &byte in field {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn needs_quotes(field: &[u8]) -> bool {
    field.starts_with(b" ")
        || field.ends_with(b" ")
        || field.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &[&[u8]], expect: &[u8]) {
        let mut out = Vec::new();
        push_record(&mut out, fields.iter().copied());
        assert_eq!(out, expect);
    }

    #[test]
    fn only_fields_that_need_it_are_quoted() {
        check(&[b"a", b"", b"b c"], b"a,,b c\n");
        check(&[b"a,b", b"say \"hi\""], b"\"a,b\",\"say \"\"hi\"\"\"\n");
        check(&[b"a\nb", b"\r", b" x", b"x "], b"\"a\nb\",\"\r\",\" x\",\"x \"\n");
        check(&[b"\xff"], b"\xff\n");
    }
}

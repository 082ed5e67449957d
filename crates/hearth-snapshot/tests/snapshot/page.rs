//! The format once more, written from the page alone: takes files apart and puts files together that
//! the writer would never write. Straightforward, and deliberately without a line of the crate's own code.

use crate::desk::MACHINE_KEY;
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};

pub(crate) const HEADER_AT: usize = 12_288;
const DATA_KEY: [u8; 32] = [0x5a; 32];

/// A file to be put together.
pub(crate) struct Recipe {
    pub(crate) version: u16,
    pub(crate) write_min: u16,
    pub(crate) header: Vec<u8>,
    /// Records, and whether each ends its section.
    pub(crate) records: Vec<(Vec<u8>, bool)>,
    pub(crate) table: Vec<u8>,
}

/// A section of a table: number, codec, length of its content.
pub(crate) type Claim = (u32, u8, u64);

impl Recipe {
    /// A file whose table says what it claims about the records it has.
    pub(crate) fn new(header: Vec<u8>, claims: &[Claim], records: Vec<(Vec<u8>, bool)>) -> Self {
        let stored: Vec<u32> = records.iter().map(|(record, _)| record.len() as u32 + 16).collect();
        Self { version: 1, write_min: 1, header, records, table: table(claims, stored.len() as u64, &stored) }
    }

    pub(crate) fn put_together(&self) -> Vec<u8> {
        let mut file = self.prefix();
        let prefix_hash: [u8; 32] = blake3::hash(&file).into();
        file.extend_from_slice(&slot(&prefix_hash));
        file.resize(HEADER_AT, 0);
        let header = seal(1, 0, &associated(&prefix_hash, 0, 1, 1), &self.header);
        let header_hash: [u8; 32] = blake3::hash(&[&file[..4096], &header].concat()).into();
        file.extend_from_slice(&header);
        for (number, (record, last)) in (0..).zip(&self.records) {
            let associated = associated(&header_hash, number, 0, u8::from(*last));
            file.extend_from_slice(&seal(0, number, &associated, record));
        }
        let table_at = file.len() as u64;
        let table = seal(2, 0, &associated(&header_hash, table_at, 2, 1), &self.table);
        file.extend_from_slice(&table);
        file.extend_from_slice(&table_at.to_le_bytes());
        file.extend_from_slice(&(table.len() as u64).to_le_bytes());
        file.extend_from_slice(b"HEARTHND");
        file
    }

    fn prefix(&self) -> Vec<u8> {
        let mut prefix = b"HEARTHSN".to_vec();
        prefix.extend_from_slice(&self.version.to_le_bytes());
        prefix.extend_from_slice(&self.write_min.to_le_bytes());
        prefix.extend_from_slice(&[1, 0, 0, 0]);
        prefix.extend_from_slice(&[0xab; 16]);
        prefix.extend_from_slice(&(self.header.len() as u32 + 16).to_le_bytes());
        prefix.resize(4096, 0);
        prefix
    }
}

pub(crate) fn table(claims: &[Claim], chunks: u64, stored: &[u32]) -> Vec<u8> {
    let mut table = (claims.len() as u32).to_le_bytes().to_vec();
    table.extend_from_slice(&[0; 4]);
    table.extend_from_slice(&chunks.to_le_bytes());
    for (id, codec, len) in claims {
        table.extend_from_slice(&id.to_le_bytes());
        table.extend_from_slice(&[*codec, 0, 0, 0]);
        table.extend_from_slice(&len.to_le_bytes());
    }
    stored.iter().for_each(|len| table.extend_from_slice(&len.to_le_bytes()));
    table
}

pub(crate) fn header(counts: &[u64], identity: &[u8], clock: &[u8], epoch: &[u8]) -> Vec<u8> {
    let mut header = crate::desk::KIND.to_vec();
    header.extend_from_slice(&(counts.len() as u32).to_le_bytes());
    header.extend_from_slice(&crate::desk::SAVED_AT_NS.to_le_bytes());
    for text in [identity, clock, epoch] {
        header.extend_from_slice(&(text.len() as u32).to_le_bytes());
    }
    header.extend_from_slice(&[0; 4]);
    counts.iter().for_each(|count| header.extend_from_slice(&count.to_le_bytes()));
    [identity, clock, epoch].iter().for_each(|text| header.extend_from_slice(text));
    header
}

/// What a file holds: its header, its table and the records of its chunks.
pub(crate) struct Parts {
    pub(crate) header: Vec<u8>,
    pub(crate) table: Vec<u8>,
    pub(crate) records: Vec<Vec<u8>>,
}

/// Takes a file of the writer's apart; `ends[n]` says whether chunk `n` ends its section.
pub(crate) fn take_apart(file: &[u8], ends: &[bool]) -> Parts {
    let word = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().expect("eight bytes")) as usize;
    let header_len = u32::from_le_bytes(file[32..36].try_into().expect("four bytes")) as usize;
    let (prefix_hash, slot) = (blake3::hash(&file[..4096]), &file[4096..8192]);
    let prefix_hash: [u8; 32] = prefix_hash.into();
    let mut nonce = [0; 12];
    nonce.copy_from_slice(&slot[16..28]);
    let data_key = open(&wrapping_key(), nonce, &prefix_hash, &slot[32..80]);
    let data_key: [u8; 32] = data_key.try_into().expect("a key has 32 bytes");

    let stored_header = &file[HEADER_AT..HEADER_AT + header_len];
    let header = open(&data_key, nonce_of(1, 0), &associated(&prefix_hash, 0, 1, 1), stored_header);
    let header_hash: [u8; 32] = blake3::hash(&[&file[..4096], stored_header].concat()).into();
    let (table_at, table_len) = (word(file.len() - 24), word(file.len() - 16));
    let table_associated = associated(&header_hash, table_at as u64, 2, 1);
    let table = open(&data_key, nonce_of(2, 0), &table_associated, &file[table_at..table_at + table_len]);

    let mut at = HEADER_AT + header_len;
    let lens = table[table.len() - 4 * ends.len()..].chunks_exact(4);
    let records = (0..).zip(lens).zip(ends).map(|((number, len), &last)| {
        let len = u32::from_le_bytes(len.try_into().expect("four bytes")) as usize;
        at += len;
        let associated = associated(&header_hash, number, 0, u8::from(last));
        open(&data_key, nonce_of(0, number), &associated, &file[at - len..at])
    });
    let records = records.collect();
    assert_eq!((at, table_at + table_len + 24), (table_at, file.len()), "no gaps");
    Parts { header, table, records }
}

fn slot(prefix_hash: &[u8; 32]) -> Vec<u8> {
    let mut slot = blake3::derive_key("hearth-snapshot 1 key id", &MACHINE_KEY)[..16].to_vec();
    let nonce = [0xcd; 12];
    slot.extend_from_slice(&nonce);
    slot.extend_from_slice(&[0; 4]);
    slot.extend_from_slice(&seal_with(&wrapping_key(), nonce, prefix_hash, &DATA_KEY));
    slot.resize(4096, 0);
    slot
}

fn wrapping_key() -> [u8; 32] {
    blake3::derive_key("hearth-snapshot 1 wrapping key", &MACHINE_KEY)
}

fn nonce_of(kind: u8, number: u64) -> [u8; 12] {
    let mut nonce = [kind, 0, 0, 0].to_vec();
    nonce.extend_from_slice(&number.to_le_bytes());
    nonce.try_into().expect("twelve bytes")
}

fn associated(hash: &[u8; 32], number: u64, kind: u8, last: u8) -> Vec<u8> {
    [&hash[..], &number.to_le_bytes(), &[kind, last]].concat()
}

fn seal(kind: u8, number: u64, associated: &[u8], text: &[u8]) -> Vec<u8> {
    seal_with(&DATA_KEY, nonce_of(kind, number), associated, text)
}

fn seal_with(key: &[u8; 32], nonce: [u8; 12], associated: &[u8], text: &[u8]) -> Vec<u8> {
    let mut stored = text.to_vec();
    let cipher = Aes256Gcm::new(&(*key).into());
    let tag = cipher.encrypt_inout_detached(&nonce.into(), associated, (&mut stored[..]).into());
    stored.extend_from_slice(&tag.expect("it can be sealed"));
    stored
}

fn open(key: &[u8; 32], nonce: [u8; 12], associated: &[u8], stored: &[u8]) -> Vec<u8> {
    let (text, tag) = stored.split_at(stored.len() - 16);
    let (mut text, tag): (Vec<u8>, [u8; 16]) = (text.to_vec(), tag.try_into().expect("sixteen bytes"));
    let cipher = Aes256Gcm::new(&(*key).into());
    let opened =
        cipher.decrypt_inout_detached(&nonce.into(), associated, (&mut text[..]).into(), &tag.into());
    opened.expect("it opens");
    text
}

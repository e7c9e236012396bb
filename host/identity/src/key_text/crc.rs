//! The checksum in a key: CRC-30/CDMA. Its 30 bits are exactly six digits, and it finds every error within three
//! neighbouring characters, such as a wrong, doubled or exchanged one.

/// The polynomial and all sums here stand in the highest 30 bits of a word, so that whole words can be taken in.
const POLYNOMIAL: u32 = 0x2030_b9c7 << 2;
const ALL: u32 = 0x3fff_ffff;
/// `TABLES[n][byte]` is the sum of a byte with `n` zero bytes after it.
static TABLES: [[u32; 256]; 4] = tables();

const fn tables() -> [[u32; 256]; 4] {
    let mut tables = [[0; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum >> 31 == 1 { (sum << 1) ^ POLYNOMIAL } else { sum << 1 };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 4 {
        let mut byte = 0;
        while byte < 256 {
            let sum = tables[zeros - 1][byte];
            tables[zeros][byte] = (sum << 8) ^ tables[0][(sum >> 24) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

pub(super) fn crc30(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<4>();
    let sum = words.iter().fold(ALL << 2, |sum, word| {
        let [a, b, c, d] = (sum ^ u32::from_be_bytes(*word)).to_be_bytes().map(usize::from);
        TABLES[3][a] ^ TABLES[2][b] ^ TABLES[1][c] ^ TABLES[0][d]
    });
    let sum = rest.iter().fold(sum, |sum, byte| (sum << 8) ^ TABLES[0][usize::from((sum >> 24) as u8 ^ byte)]);
    (sum >> 2) ^ ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogued_check_value_comes_out() {
        assert_eq!(crc30(b"123456789"), 0x04c3_4abf);
    }
}

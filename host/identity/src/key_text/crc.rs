//! The checksum in a key: CRC-30/CDMA. Its 30 bits are exactly six digits, and it finds every error within three
//! neighbouring characters, such as a wrong, doubled or exchanged one.

const POLYNOMIAL: u32 = 0x2030_b9c7;
const ALL: u32 = 0x3fff_ffff;
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = (byte as u32) << 22;
        let mut bit = 0;
        while bit < 8 {
            let top = sum & 0x2000_0000 != 0;
            sum = (sum << 1) & ALL;
            if top {
                sum ^= POLYNOMIAL;
            }
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
}

pub(super) fn crc30(bytes: &[u8]) -> u32 {
    let sum = bytes.iter().fold(ALL, |sum, byte| {
        let index = ((sum >> 22) as u8) ^ byte;
        (sum << 8) & ALL ^ TABLE[usize::from(index)]
    });
    sum ^ ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogued_check_value_comes_out() {
        assert_eq!(crc30(b"123456789"), 0x04c3_4abf);
    }
}

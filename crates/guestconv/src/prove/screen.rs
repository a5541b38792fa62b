//! The text on a graphical screen. Linux's framebuffer console writes in the font that VGA cards have had since 1987, cell
//! by cell, so a picture of it can be read back: no guess is needed but for single letters that differ by a few dots.
//!
//! The font is taken from the ROM of QEMU's own graphics card. A screen in another font, a desktop or a boot splash has no
//! text for us. Pure but for [`Font::of_host`].

use std::fs;

const WIDTH: usize = 8;
const HEIGHT: usize = 16;
/// How bright the brightest of a dot's colours is if the dot is ink.
const INK: u8 = 64;
/// How many dots of a letter may differ.
const DOTS_TOLERATED: u32 = 8;
/// What a cell shows that is no letter of the font.
const UNKNOWN: char = '\u{fffd}';
/// The letter A, by which the font is found in a ROM.
const LETTER_A: [u8; HEIGHT] = [0, 0, 0x10, 0x38, 0x6c, 0xc6, 0xc6, 0xfe, 0xc6, 0xc6, 0xc6, 0xc6, 0, 0, 0, 0];
/// Where distributions have the ROM of QEMU's graphics card.
const ROMS: &[&str] = &[
    "/usr/share/seabios/vgabios-stdvga.bin",
    "/usr/share/seavgabios/vgabios-stdvga.bin",
    "/usr/share/qemu/vgabios-stdvga.bin",
    "/usr/share/qemu-kvm/vgabios-stdvga.bin",
];

/// A font of cells, a dot per bit: the printable letters of ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Font(Vec<(char, u128)>);

impl Font {
    /// Returns the font of QEMU's graphics card; `None` if its ROM is not where it is known to be.
    pub(super) fn of_host() -> Option<Self> {
        ROMS.iter().filter_map(|rom| fs::read(rom).ok()).find_map(|rom| Self::of_rom(&rom))
    }

    /// Returns some font: not every host has QEMU's.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn for_fuzzing() -> Self {
        Self(
            (0x20..=0x7e_u8)
                .map(|letter| (char::from(letter), u128::from_be_bytes([letter; HEIGHT])))
                .collect(),
        )
    }

    fn of_rom(rom: &[u8]) -> Option<Self> {
        let at_a = rom.windows(HEIGHT).position(|window| window == LETTER_A)?;
        let start = at_a.checked_sub(usize::from(b'A') * HEIGHT)?;
        let glyph = |letter: u8| {
            let at = start + usize::from(letter) * HEIGHT;
            let dots: [u8; HEIGHT] = rom.get(at..at + HEIGHT)?.try_into().ok()?;
            Some((char::from(letter), u128::from_be_bytes(dots)))
        };
        (0x20..=0x7e).map(glyph).collect::<Option<_>>().map(Self)
    }

    fn letter(&self, dots: u128) -> char {
        if dots == 0 {
            return ' ';
        }
        let by_distance = |(letter, glyph): &(char, u128)| ((glyph ^ dots).count_ones(), *letter);
        let (distance, letter) = self.0.iter().map(by_distance).min().unwrap_or((u32::MAX, UNKNOWN));
        // The cursor is a bar at the bottom of its cell.
        let is_cursor = dots >> (3 * WIDTH) == 0;
        match distance {
            0 => letter,
            _ if is_cursor => ' ',
            1..=DOTS_TOLERATED => letter,
            _ => UNKNOWN,
        }
    }
}

/// Returns the lines of text on a picture in the format PPM (`P6`); `None` if it shows none.
pub(super) fn text_of(picture: &[u8], font: &Font) -> Option<Vec<String>> {
    let (width, height, dots) = header(picture)?;
    let (columns, rows) = (width / WIDTH, height / HEIGHT);
    let is_ink = |x: usize, y: usize| {
        let at = (y * width + x) * 3;
        dots.get(at..at + 3).is_some_and(|colors| colors.iter().any(|color| *color > INK))
    };
    let cell = |column: usize, row: usize| {
        let all = (0..WIDTH * HEIGHT).map(|dot| (column * WIDTH + dot % WIDTH, row * HEIGHT + dot / WIDTH));
        all.fold(0_u128, |cell, (x, y)| cell << 1 | u128::from(is_ink(x, y)))
    };
    let line = |row| (0..columns).map(|column| font.letter(cell(column, row))).collect::<String>();
    let mut lines: Vec<String> = (0..rows).map(|row| line(row).trim_end().to_owned()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    let shown = || lines.iter().flat_map(|line| line.chars()).filter(|letter| *letter != ' ');
    let unknown = shown().filter(|letter| *letter == UNKNOWN).count();
    // A line in a box or a logo is no harm; a picture is.
    (shown().count() >= 4 && unknown * 4 < shown().count()).then_some(lines)
}

/// Returns width, height and the dots.
fn header(picture: &[u8]) -> Option<(usize, usize, &[u8])> {
    let mut lines = picture.splitn(4, |byte| *byte == b'\n');
    let (magic, size, depth, dots) = (lines.next()?, lines.next()?, lines.next()?, lines.next()?);
    let (width, height) = std::str::from_utf8(size).ok()?.split_once(' ')?;
    let (width, height) = (width.parse().ok()?, height.trim().parse().ok()?);
    let is_whole = magic == b"P6"
        && depth == b"255"
        && dots.len() >= usize::checked_mul(width, height)?.checked_mul(3)?;
    is_whole.then_some((width, height, dots))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ROM whose letter N has its number in its first line of dots; A is what the font is found by.
    fn rom() -> Vec<u8> {
        let mut rom = vec![0x55; 100];
        for letter in 0..=127_u8 {
            let mut glyph = [0; HEIGHT];
            if letter == b'A' {
                glyph = LETTER_A;
            } else if letter != b' ' {
                glyph[1..4].fill(letter);
                glyph[5..9].fill(!letter);
            }
            rom.extend(glyph);
        }
        rom
    }

    fn picture(text: &str, font: &Font, spoil: impl Fn(usize, usize) -> bool) -> Vec<u8> {
        let (width, height) = (12 * WIDTH + 3, 3 * HEIGHT);
        let mut picture = format!("P6\n{width} {height}\n255\n").into_bytes();
        for y in 0..height {
            for x in 0..width {
                let line = text.lines().nth(y / HEIGHT).unwrap_or("");
                let letter = line.chars().nth(x / WIDTH).unwrap_or(' ');
                let glyph = font.0.iter().find(|(known, _)| *known == letter).unwrap().1;
                let bit = WIDTH * HEIGHT - 1 - (y % HEIGHT * WIDTH + x % WIDTH);
                let is_ink = (glyph >> bit & 1 == 1) ^ spoil(x, y);
                picture.extend([0, if is_ink { 0xaa } else { 0 }, 0]);
            }
        }
        picture
    }

    #[test]
    fn what_a_console_shows_is_read_back() {
        let font = Font::of_rom(&rom()).unwrap();
        let text = "Debian\n\nhost login:";
        let lines = Some(text.lines().map(str::to_owned).collect());
        assert_eq!(text_of(&picture(text, &font, |_, _| false), &font), lines);
        // A cursor behind the prompt, and a letter with two other dots.
        let spoil = |x: usize, y: usize| ((88..96).contains(&x) && y >= 46) || (x == 0 && y < 2);
        assert_eq!(text_of(&picture(text, &font, spoil), &font), lines);
    }

    #[test]
    fn a_picture_is_no_text() {
        let font = Font::of_rom(&rom()).unwrap();
        for (name, picture) in [
            ("blank", picture("", &font, |_, _| false)),
            ("noise", picture("", &font, |x, y| (x * 7 + y * 13) % 5 < 2)),
            ("cut", picture("host login:", &font, |_, _| false)[..500].to_vec()),
            ("nothing", Vec::new()),
        ] {
            assert_eq!(text_of(&picture, &font), None, "{name}");
        }
    }

    #[test]
    fn the_font_of_this_machine_is_whole() {
        let Some(Font(letters)) = Font::of_host() else {
            eprintln!("skipped: QEMU's graphics ROM is not on this machine");
            return;
        };
        let drawn: std::collections::BTreeSet<u128> = letters.iter().map(|(_, glyph)| *glyph).collect();
        assert_eq!((letters.len(), drawn.len()), (95, 95), "every letter has a shape of its own");
    }
}

// 200 texts for tokenizers: every kind of script, emoji, whitespace and control character, and what trips pre-tokenizers.

const SCRIPTS = [
  "Once upon a time there lived a King and a Queen.", "THE QUICK BROWN FOX, 'twas NOT amused; we'll SEE who'd've won!",
  "Ünïcödé façade naïve Ærøskøbing İstanbul ıßẞ", "Příliš žluťoučký kůň úpěl ďábelské ódy", "Zażółć gęślą jaźń",
  "Съешь же ещё этих мягких французских булок", "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία, ΰ ΐ", "Հայաստանի Հանրապետություն",
  "საქართველო ᲡᲐᲥᲐᲠᲗᲕᲔᲚᲝ", "עברית עם נִקּוּד: שָׁלוֹם", "اللغة العربية: السَّلَامُ عَلَيْكُمْ ١٢٣", "فارسی می‌خواهم ۴۵۶", "اردو زبان",
  "देवनागरी: क्षत्रिय नमस्ते ४२", "বাংলা ভাষা ক্ষুধা", "ਪੰਜਾਬੀ ਗੁਰਮੁਖੀ", "ગુજરાતી લિપિ", "தமிழ் மொழி க்ஷ", "తెలుగు లిపి", "ಕನ್ನಡ ಲಿಪಿ", "മലയാളം ലിപി",
  "සිංහල අකුරු", "ภาษาไทยไม่เว้นวรรค ๑๒๓", "ພາສາລາວ", "བོད་སྐད། བོད་ཡིག", "မြန်မာဘာသာ", "ភាសាខ្មែរ", "አማርኛ ፊደል ፩፪፫", "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "ᓀᐦᐃᔭᐍᐏᐣ", "ᚠᚢᚦᚨᚱᚲ",
  "ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ", "한국어 조선말", "한글 자모", "ひらがなカタカナ漢字ｶﾀｶﾅ々〆ヶ", "中文分词测试。简体、繁體！？",
  "𠮷野家で𩸽", "𐍈𐌰𐌿𐍄 𒀀𒁀 𓀀𓁐", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛 ℝ∑∫√∞≠", "Tiếng Việt: ữ ợ ấ ị", "\u00e9 vs e\u0301; \u00c5 \u212b A\u030a; \ufb01 \ufb03 Ⅷ ½ ① ㈱",
  "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
];
const EMOJI = [
  "🙂", "🙂🙂🙂", "a🙂b 🙂 c", "👩‍👩‍👧‍👦 family", "🏳️‍🌈🏴‍☠️", "🇨🇿🇯🇵🇧🇷", "👍🏽👩🏿‍🚀", "1️⃣2️⃣#️⃣", "❤️ ❤ ☺️", "🫠🫡🫥🪿", "😀".repeat(30), "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
];
const WHITESPACE = [
  "", " ", "  ", "   ", "\n", "\n\n", "\n\n\n\n", "\r\n", "\r", "\t", "\t\t", " \n", "\n ", " \t\n \r\n\t ", "a b", "a  b", "a   b", " a", "  a", "a ", "a  ",
  "a\n", "a\n\nb", "a\r\n\r\nb", "a\n  b\n\tc\n\n    d\n", "x" + " ".repeat(7) + "y", " ".repeat(16), " ".repeat(64) + "z", "\n".repeat(20), "\t".repeat(9) + "t",
  "a\u00a0b", "a\u2003b\u2009c", "a\u3000b", "a\u2028b\u2029c", "\u200b\u200c\u200d\u2060", "\ufefftext", "a\u0085b", "a\u000b\u000cb", " \u00a0 \u3000 ", "( ) [ ] {\n}",
];
const CONTROL = [
  "\u0000", "a\u0000b", "\u0001\u0002\u0003", "\u0007bell\u001b[31mred\u001b[0m", "\u007f", "\u0080\u009f", "\u202eRTL\u202c", "\ufffd\ufffe\uffff", "\u{10ffff}\u{e000}\u{f8ff}",
  "\u{e0001}\u{e0020}",
];
const SPECIAL = [
  "<s>", "</s>", "<s>hello</s>", "a <s> b", "<unk>", "<|endoftext|>", "<|im_start|>user\nhi<|im_end|>\n", "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n",
  "[INST] x [/INST]", "[CLS] a [SEP] [MASK]", "<0x0A>", "<|endoftext", "▁a▁b", "Ġa Ċ", "##ing",
];
const CODE = [
  "for (int i = 0; i < n; ++i) {\n\ta[i] += b[i] * 2;\n}\n", "def f(x):\n    return x**2  # square\n", "SELECT * FROM `t` WHERE a != 'b';", "https://example.org/a?b=c&d=%20#e",
  "mail@example.org", "C:\\Windows\\System32", "{\"key\": [1, 2.5e-3, null, true]}", "camelCaseAndHTTPServer_snake_case-kebab", "!!!???...---___***", "#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
  "I'm you're he's we'll they'd I've DON'T It'S 'LL", "’tis “quoted” — dash… «guillemets»", "e.g. i.e. U.S.A. Dr. No.5", "<html><!-- c --><br/></html>", "0x1F 0b101 1_000 1,000,000.00 3.14 -7",
];
const NUMBERS = ["0", "12", "123", "1234", "12345", "123456", "1234567", "2026-11-22T22:00:00Z", "1".repeat(25), "٣٤٥ १२३ ๑๒๓ Ⅻ ² ½"];
const LONG = ["a".repeat(300), "ab".repeat(100), "The end. ".repeat(40), "supercalifragilisticexpialidocious antidisestablishmentarianism", "=".repeat(100), "あ".repeat(50)];

/** Seeded strings over a mix of blocks that have been in Unicode for long. */
function random(n) {
  const blocks = [[0x20, 0x7e], [0x20, 0x7e], [0x61, 0x7a], [0x20, 0x20], [0x30, 0x39], [0xa1, 0x17f], [0x391, 0x3a9], [0x410, 0x44f], [0x5d0, 0x5ea], [0x627, 0x64a], [0x905, 0x939],
    [0x4e00, 0x5fff], [0xac00, 0xb000], [0x3041, 0x3096], [0x1f600, 0x1f64f], [0x0, 0x1f], [0x300, 0x314]];
  let state = 12345;
  const below = (m) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * m);
  };
  return Array.from({length: n}, () => {
    let text = "";
    for (let length = 1 + below(60); length > 0; --length) {
      const [first, last] = blocks[below(blocks.length)];
      for (let run = 1 + below(4); run > 0; --run) text += String.fromCodePoint(first + below(last - first + 1));
    }
    return text;
  });
}

const listed = [...SCRIPTS, ...EMOJI, ...WHITESPACE, ...CONTROL, ...SPECIAL, ...CODE, ...NUMBERS, ...LONG];
export const STRINGS = [...listed, ...random(200 - listed.length)];

/** Byte strings that are not UTF-8: each must be refused, not guessed at. */
export const INVALID_UTF8 = [
  [0xff], [0x80], [0x61, 0xc3], [0xc3, 0x28], [0xe2, 0x82], [0xe2, 0x28, 0xa1], [0xf0, 0x9f, 0x99], [0xf0, 0x28, 0x8c, 0xbc], [0xc0, 0x80], [0xe0, 0x80, 0xaf], [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80], [0x61, 0x62, 0xfe, 0x63],
].map((bytes) => Buffer.from(bytes));

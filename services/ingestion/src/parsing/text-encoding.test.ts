import { expect, test } from 'vitest'
import { decodeText } from './text-encoding.ts'

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))

/** Each text as an editor of its time wrote it. */
test.each([
  ['UTF-8', 'Größe 日本語', Buffer.from('\uFEFFGröße 日本語')],
  ['UTF-16 LE', 'Größe 日本語', Buffer.from('\uFEFFGröße 日本語', 'utf16le')],
  ['UTF-16 BE', 'Größe 日本語', Buffer.from('\uFEFFGröße 日本語', 'utf16le').swap16()],
  ['UTF-16 LE without a mark', 'Größe und Gewicht', Buffer.from('Größe und Gewicht', 'utf16le')],
  ['UTF-16 BE without a mark', 'Größe und Gewicht', Buffer.from('Größe und Gewicht', 'utf16le').swap16()],
  ['Windows-1252', 'Die Größe des Büros – „schön“', bytes('446965204772f6df65206465732042fc726f7320962084736368f66e93')],
  ['Windows-1252 in a word', 'café', bytes('636166e9')],
  [
    'ISO-8859-2',
    'Zażółć gęślą jaźń. Każdy pracownik ma prawo do urlopu',
    bytes('5a61bff3b3e62067eab66cb1206a61bcf12e204b61bf647920707261636f776e696b206d6120707261776f20646f2075726c6f7075'),
  ],
  ['KOI8-R', 'Привет, мир', bytes('f0d2c9d7c5d42c20cdc9d2')],
  ['Shift_JIS', '従業員は年に二十五日の休暇', bytes('8f5d 8bc6 88f5 82cd 944e 82c9 93f1 8f5c 8cdc 93fa 82cc 8b78 89c9')],
  [
    'GBK',
    '每位员工每年有二十五天的带薪休假',
    bytes('c3bf cebb d4b1 b9a4 c3bf c4ea d3d0 b6fe caae cee5 ccec b5c4 b4f8 d0bd d0dd bcd9'),
  ],
])('%s is detected', (_, text, content) => {
  expect(decodeText(Uint8Array.from(content))).toBe(text)
})

test('one broken byte does not cost a text in UTF-8 its other characters', () => {
  const content = Buffer.concat([Buffer.from('ä'.repeat(50)), Buffer.from([0xff]), Buffer.from('ö')])
  expect(decodeText(content)).toBe(`${'ä'.repeat(50)}\uFFFDö`)
})

test.each([
  ['NUL', 'a\0b'],
  ['controls and no valid UTF-8', '\u00ff\u0001\u00fe'],
])('%s is in no text', (_, content) => {
  expect(decodeText(Buffer.from(content, 'latin1'))).toBeUndefined()
})

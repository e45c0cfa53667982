import { withoutBidi } from '@youworker/contracts/common'
import { describe, expect, test } from 'vitest'
import { cleanText, cutText, forTerminal } from './text.ts'

describe('cutText', () => {
  test.each([
    ['short', 5, '', 'short'],
    ['longer', 5, '', 'longe'],
    ['longer', 5, '…', 'long…'],
    ['ab😀cd', 3, '', 'ab'],
    ['ab😀cd', 4, '', 'ab😀'],
    ['ab😀cd', 4, '…', 'ab…'],
    ['😀', 1, '', ''],
    ['😀😀', 0, '', ''],
  ])('%j at most %i, marked with %j', (text, max, mark, expected) => {
    expect(cutText(text, max, mark)).toBe(expected)
  })

  test('a lone half at the cut is no reason to cut more', () => {
    expect(cutText('ab\uD83Dcd', 3)).toBe('ab\uD83D')
  })
})

describe('cleanText', () => {
  test('controls go, tab and line ends stay', () => {
    expect(cleanText('a\0b\u001B[31m\tc\r\nd\u0085')).toBe('ab[31m\tc\r\nd')
  })

  test('one line: every run of white space and controls becomes one blank', () => {
    expect(cleanText('  a\n\n\tb\0 c\u2028d  ', { lines: 'join' })).toBe('a b c d')
  })

  test('a name has nothing that turns the direction of text; other text keeps it', () => {
    const spoofed = 'invoice\u202Efdp.exe \u2067\u200Fשלום\u2069\u061C'
    expect(cleanText(spoofed, { lines: 'join' })).toBe('invoicefdp.exe שלום')
    expect(cleanText(spoofed)).toBe(spoofed)
  })

  test('names in requests lose the same characters', () => {
    const all = Array.from({ length: 0xd800 }, (_, unit) => String.fromCharCode(unit)).filter((unit) => !/[\s\p{Cc}]/u.test(unit))
    const removed = all.filter((unit) => cleanText(unit, { lines: 'join' }) === '')
    expect(removed).toHaveLength(12)
    expect(all.filter((unit) => withoutBidi(unit) === '')).toEqual(removed)
  })

  test('controls can be marked instead', () => {
    expect(cleanText('a\0b\u001Bc\n', { controls: 'mark' })).toBe('a\uFFFDb\uFFFDc\n')
    expect(cleanText('a\0b\n\nc', { controls: 'mark', lines: 'join' })).toBe('a\uFFFDb c')
  })

  test('halves of pairs become U+FFFD, a pair at the cut goes as a whole', () => {
    expect(cleanText('a\uD83Db')).toBe('a\uFFFDb')
    expect(cleanText('ab😀', { max: 3 })).toBe('ab')
  })

  test('a long text of one kind takes linear time', () => {
    for (const unit of ['\0', ' ', '\uD83D', '😀', 'a ']) {
      expect(cleanText(unit.repeat(2_000_000), { max: 100, lines: 'join' }).length).toBeLessThanOrEqual(100)
    }
  })
})

describe('forTerminal', () => {
  test.each([
    ['a colour and a cleared screen', 'a\u001B[31mb\u001B[2Jc', 'a[31mb[2Jc'],
    ['a title and a link by OSC', '\u001B]0;title\u0007a\u001B]8;;http://evil\u001B\\b', ']0;titlea]8;;http://evil\\b'],
    ['C1, which is an escape sequence of one character', 'a\u009B31mb\u009D0;x\u009C', 'a31mb0;x'],
    ['a line that overwrites another', 'safe\rSAFE\b\b', 'safeSAFE'],
    ['DEL, NUL and bell', 'a\u007F\0\u0007b', 'ab'],
    ['a turned direction', 'a\u202Eb', 'ab'],
  ])('takes %s its effect', (_, text, shown) => {
    expect(forTerminal(text)).toBe(shown)
  })

  test('leaves lines, tabs, accents, CJK, emoji and right-to-left letters', () => {
    const text = 'é 漢字 👩‍👩‍👧 שלום\n\tsecond line\n'
    expect(forTerminal(text)).toBe(text)
    expect(forTerminal('a\r\nb')).toBe('a\nb')
  })
})

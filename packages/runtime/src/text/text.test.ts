import { describe, expect, test } from 'vitest'
import { cleanText, cutText } from './text.ts'

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

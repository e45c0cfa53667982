import { expect, test } from 'vitest'
import { blocksOf, type PageText } from './pdf-blocks.ts'

/** Letters of 10 points, 5 wide. */
const at = (x: number, y: number, str: string): PageText => ({
  str,
  transform: [10, 0, 0, 10, x, y],
  width: str.length * 5,
  height: 10,
})

test('lines of a paragraph stay together, a gap begins the next one, words are parted', () => {
  const texts = [at(50, 700, 'Bees'), at(73, 700, 'need'), at(50, 688, 'leave.'), at(50, 660, 'Next')]
  expect(blocksOf(texts)).toEqual([
    { kind: 'prose', text: 'Bees need\nleave.' },
    { kind: 'prose', text: 'Next' },
  ])
})

test('lines with cells below each other are rows, also where a cell is empty or ends below another', () => {
  const texts = [
    at(50, 700, 'Price list'),
    at(50, 680, 'Product'),
    at(150, 680, 'Price'),
    at(250, 680, 'Stock'),
    at(50, 668, 'Honey'),
    at(155, 668, '12.50'),
    at(255, 668, '7'),
    at(50, 656, 'Suit'),
    at(255, 656, '1200'),
    at(50, 640, 'After the table there is a longer line of text.'),
  ]
  expect(blocksOf(texts)).toEqual([
    { kind: 'prose', text: 'Price list' },
    {
      kind: 'table',
      rows: [
        ['Product', 'Price', 'Stock'],
        ['Honey', '12.50', '7'],
        ['Suit', '', '1200'],
      ],
    },
    { kind: 'prose', text: 'After the table there is a longer line of text.' },
  ])
})

test('columns of a text are no table', () => {
  const long = 'a line of a column that has many words in it, as prose has'
  const texts = [at(50, 700, long), at(400, 700, long), at(50, 688, long), at(400, 688, long)]
  expect(blocksOf(texts).every(({ kind }) => kind === 'prose')).toBe(true)
})

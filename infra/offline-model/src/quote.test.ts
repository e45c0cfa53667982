import { expect, test } from 'vitest'
import { parsePassages, sentencesOf } from './passages.ts'
import { quotesFor } from './quote.ts'

const RESULT = `[1] handbook.pdf, p. 12
3.2 Annual leave
Every full-time employee has 25 days of paid leave per calendar
year. Part-time staff get a share, e.g. 15 days for three days a week.

Unused days lapse on 31 March.

[2] travel.md
# Travel

## Flights

- Flights above 800 euros need the approval of the head of department.
- Bring your passport

| Class | Allowed |
|-------|---------|
| Economy | always |

[3] handbook.pdf, p. 13
## Parental leave

It lasts 16 weeks and is paid in full.`

const passages = parsePassages(RESULT)
const quoted = (question: string) => quotesFor(question, passages).map(({ text, n }) => `${text} [${n}]`)

test('a passage is parsed into its number, title and text, blank lines included', () => {
  expect(passages.map(({ n, title }) => [n, title])).toEqual([
    [1, 'handbook.pdf, p. 12'],
    [2, 'travel.md'],
    [3, 'handbook.pdf, p. 13'],
  ])
  expect(passages[0]?.text).toContain('Unused days')
})

test('wrapped lines are joined, headings become context, list items and table rows are separate sentences', () => {
  expect(passages.flatMap(sentencesOf).map(({ text }) => text)).toEqual([
    'Every full-time employee has 25 days of paid leave per calendar year.',
    'Part-time staff get a share, e.g. 15 days for three days a week.',
    'Unused days lapse on 31 March.',
    'Flights above 800 euros need the approval of the head of department.',
    'Bring your passport',
    'Class | Allowed',
    'Economy | always',
    'It lasts 16 weeks and is paid in full.',
  ])
})

test.each([
  ['How many days of leave do I have?', 'Every full-time employee has 25 days of paid leave per calendar year. [1]'],
  ['Who approves flights above 800 euros?', 'Flights above 800 euros need the approval of the head of department. [2]'],
  ['How long does parental leave last?', 'It lasts 16 weeks and is paid in full. [3]'],
  ['When do unused days lapse?', 'Unused days lapse on 31 March. [1]'],
])('%s', (question, best) => {
  expect(quoted(question)[0]).toBe(best)
  expect(quoted(question).length).toBeLessThanOrEqual(3)
})

test('a question about another subject quotes nothing', () => {
  expect(quoted('Which planet has the largest moons?')).toEqual([])
})

test('a question without meaningful words quotes the first sentence', () => {
  expect(quoted('What is this document about?')).toEqual([
    'Every full-time employee has 25 days of paid leave per calendar year. [1]',
  ])
})

test('each line of code is quoted on its own', () => {
  const [readme] = parsePassages(
    '[1] README.md\n# Start\n\nThere are two ways:\n\n    npm start   # everything\n    npm test    # the tests\n\n```sh\nnpm run check\n```\nThat is all.',
  )
  expect(sentencesOf(readme ?? { n: 0, title: '', text: '' }).map(({ text }) => text)).toEqual([
    'There are two ways:',
    'npm start # everything',
    'npm test # the tests',
    'npm run check',
    'That is all.',
  ])
})

test('a sentence of two overlapping passages is quoted once, from the first', () => {
  const twice = parsePassages('[4] a.md\nThe office opens at nine. Cats sleep.\n\n[5] a.md\nThe office opens at nine. Dogs bark.')
  expect(quotesFor('When does the office open?', twice).map(({ n }) => n)).toEqual([4])
})

test('a sentence that says more is preferred to a line that only repeats the question', () => {
  const guide = parsePassages(
    '[1] guide.md\nUse a real model.\n\nA real model comes with Ollama: install it and set its address.',
  )
  expect(quotesFor('How do I use a real model?', guide)[0]?.text).toContain('Ollama')
})

test('emphasis goes, the underscores of a setting stay', () => {
  const [passage] = parsePassages('[1] a.md\nSet __only__ **SECURITY__CSRF_SECRET** and `API__PORT`.')
  expect(passage && sentencesOf(passage).map(({ text }) => text)).toEqual(['Set only SECURITY__CSRF_SECRET and API__PORT.'])
})

import { expect, test } from 'vitest'
import { OverlapFilter } from './overlap-filter.ts'

/** What is shown behind `before` when `text` comes in pieces of every size. */
function shown(before: string, text: string): string {
  const results = new Set<string>()
  for (let size = 1; size <= Math.min(text.length + 1, 40); size += 1) {
    const filter = new OverlapFilter(before)
    let all = ''
    for (let at = 0; at < text.length; at += size) all += filter.push(text.slice(at, at + size))
    results.add(all + filter.end())
  }
  expect([...results], 'the pieces must not matter').toHaveLength(1)
  return [...results][0] ?? ''
}

test.each([
  ['it begins anew', 'one two three', 'one two three four five', ' four five'],
  ['it begins anew with another blank', 'Leave is thirty days a year', '\n\nLeave is thirty days a year, at most.', ', at most.'],
  [
    'it repeats the last sentence',
    'It is late. The moon is full tonight.',
    'The moon is full tonight. Sleep well.',
    ' Sleep well.',
  ],
  ['it repeats the last sentence and ends', 'It is late. The moon is full tonight.', 'The moon is full tonight.', ''],
  [
    'it begins anew, with a number that was dropped',
    'Leave is 30 days . See',
    'Leave is 30 days [7]. See also [1].',
    ' also [1].',
  ],
  ['its text ended with a number', 'Leave is 30 days [1]', 'Leave is 30 days [1]. That is all.', '. That is all.'],
  ['its text ended with a number that it leaves out', 'Leave is 30 days [1]', 'Leave is 30 days. That is all.', '. That is all.'],
  ['it writes without blanks', '人工智能是计算机科学', '人工智能是计算机科学的一个分支', '的一个分支'],
  ['its text breaks off in a word', 'The lunar ecl', 'The lunar eclipse is tonight', 'ipse is tonight'],
  [
    'its text breaks off in code',
    'Use this:\n```js\nconst first = list[0',
    'Use this:\n```js\nconst first = list[0]\n```',
    ']\n```',
  ],
])('a repetition is dropped: %s', (_name, before, text, rest) => {
  expect(shown(before, text)).toBe(rest)
})

test.each([
  ['other words', 'The answer is', ' forty-two.'],
  ['the rest of a word', 'The ban', 'anas are ripe'],
  ['a word said twice', 'All that I had', ' had gone'],
  ['a refrain', 'la la la la la', ' la la la la'],
  ['a word said over and over', 'word word word word word', ' word word word word word word'],
  ['a short text said again', 'one two three', ' one two three'],
  ['closing brackets', 'call(() => {\n  });\n', '});\n});\n'],
  ['closing tags', '<ul>\n<li>a</li>\n</ul>\n</div>\n', '</div>\n</div>\n'],
  ['a row of numbers', 'Sources: [1]', '[2][3]'],
  ['something said before, in the middle', 'Is A true? Yes. Is B true? ', 'Yes.'],
  ['half a number', 'See', ' [1'],
])('what a model goes on with is kept: %s', (_name, before, text) => {
  expect(shown(before, text)).toBe(text)
})

test('blanks alone are no text', () => {
  expect(shown('', ' \n\n ')).toBe('')
  expect(shown('', '\n\nHello')).toBe('\n\nHello')
  expect(shown('Hello', ' \n')).toBe('')
})

test('text that cannot be a repetition is shown at once', () => {
  const filter = new OverlapFilter('The quick brown fox jumps over the lazy dog. ')
  expect(filter.push('Later')).toBe('Later')
})

test('each beginning of a long answer that begins anew is continued exactly', () => {
  const words = 'the of and moon sun tide earth light night day'.split(' ')
  let seed = 7
  const next = () => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31)
  const answer = Array.from(
    { length: 300 },
    (_, index) => `${words[next() % words.length]}${index % 9 === 8 ? `${index}. ` : ' '}`,
  ).join('')
  for (let length = 60; length < answer.length; length += 37) {
    expect(answer.slice(0, length) + shown(answer.slice(0, length), answer)).toBe(answer)
  }
})

test('it takes linear time, also for texts that nearly repeat themselves', () => {
  const before = `${'a'.repeat(90_000)}b`
  const filter = new OverlapFilter(before)
  let text = ''
  for (let i = 0; i < 90_000; i += 1) text += filter.push('a')
  expect((text + filter.push('c') + filter.end()).length).toBe(90_001)
})

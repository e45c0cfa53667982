import { expect, test } from 'vitest'
import { createLogger } from '../logger.ts'
import { innerMessage, withoutUrlSecrets } from './inner-text.ts'

test.each([
  ['http://ada:s3cret@model:11434/api', 'http://model:11434/api'],
  ['nats://token@host:4222 and postgresql://u:p%40x@db/y', 'nats://host:4222 and postgresql://db/y'],
  ['an @ in the password: http://u:p@ss@host/', 'an @ in the password: http://host/'],
  ['https://h/x?api_key=abc&page=2#top', 'https://h/x?api_key=[redacted]&page=2#top'],
  ['https://h/?X-Amz-Signature=abc&access_token=d', 'https://h/?X-Amz-Signature=[redacted]&access_token=[redacted]'],
  ['mail ada@example.org, see http://h/a@b', 'mail ada@example.org, see http://h/a@b'],
  ['nothing to hide? key = 7', 'nothing to hide? key = 7'],
])('%s', (text, shown) => {
  expect(withoutUrlSecrets(text)).toBe(shown)
})

test('a long text takes linear time', () => {
  for (const unit of ['://', '://a', '?', '?a', '&key=', 'a@'])
    expect(withoutUrlSecrets(unit.repeat(500_000))).toBeTypeOf('string')
})

test('an inner message names what lies behind, once each, without credentials', () => {
  const root = new Error('connect ECONNREFUSED 10.0.0.7:11434')
  const error = new Error('The model cannot be reached.', { cause: new Error('Ollama at http://u:p@m', { cause: root }) })
  expect(innerMessage(error)).toBe('The model cannot be reached: Ollama at http://m: connect ECONNREFUSED 10.0.0.7:11434')
  expect(innerMessage('http://u:p@m')).toBe('http://m')
  const loop = new Error('a')
  loop.cause = loop
  expect(innerMessage(loop)).toBe('a')
})

test('no log line has credentials of a URL, or characters that act on a terminal', () => {
  const lines: string[] = []
  const logger = createLogger({ name: 'test', write: (line) => void lines.push(line) })
  const cause = new TypeError('Request cannot be constructed from a URL that includes credentials: http://ada:s3cret@model/')
  logger
    .child({ url: 'http://ada:s3cret@a/?key=s3cret' })
    .warn({ err: new Error('http://ada:s3cret@b', { cause }) }, 'at http://ada:s3cret@c')
  logger.info({ title: 'a\u009B31m\u202E\u2028\u001B[2J' }, 'text')
  expect(lines.join('')).not.toMatch(/s3cret|ada:/)
  expect(lines.join('').replaceAll('\n', '')).toMatch(/^[\x20-\x7e]+$/)
  expect(lines.map((line) => JSON.parse(line))[1]).toMatchObject({ title: 'a\u009B31m\u202E\u2028\u001B[2J' })
})

import { expect, test } from 'vitest'
import { DIMENSIONS, embed } from './embedding.ts'

const similarity = (a: string, b: string) => {
  const other = embed(b)
  return embed(a).reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0)
}

test('a vector has 384 dimensions and length 1, also for empty text and for punctuation', () => {
  for (const text of ['Annual leave is 25 days.', '', '?!', 'the of and', '😀', '\ud800']) {
    const vector = embed(text)
    expect(vector).toHaveLength(DIMENSIONS)
    expect(Math.hypot(...vector)).toBeCloseTo(1, 4)
  }
})

const PASSAGES = {
  leave: 'Annual leave. Every full-time employee has 25 days of paid leave in a calendar year. Unused days lapse on 31 March.',
  expenses:
    'Travel and expenses. Hand in receipts within 30 days. Flights above 800 euros need the approval of the head of department.',
  laptops: 'Equipment. Laptops are replaced every four years. A lost device is reported to the service desk within one hour.',
  remote: 'Working from home is possible on three days of the week, after agreement with the team lead.',
  security: 'Passwords have at least fourteen characters. Two-factor authentication is compulsory for all accounts.',
  kitchen: 'The kitchen on the second floor is cleaned at 18:00. Please label your food in the refrigerator.',
} as const

test.each([
  ['How many days of leave do I have?', 'leave'],
  ['how many leaves can employees take per year', 'leave'],
  ['Who approves expensive flights?', 'expenses'],
  ['my laptop was lost, whom do I tell', 'laptops'],
  ['can I work from home', 'remote'],
  ['required password length', 'security'],
  ['when is the kitchn cleaned', 'kitchen'],
])('%s finds the passage about %s', (question, wanted) => {
  const [best] = Object.entries(PASSAGES).sort(([, a], [, b]) => similarity(question, b) - similarity(question, a))
  expect(best?.[0]).toBe(wanted)
})

test('accents are ignored, and scripts without spaces are compared by character pairs', () => {
  expect(similarity('congés payés', 'conges payes')).toBeCloseTo(1, 4)
  expect(similarity('休暇は何日ありますか', '年次休暇は25日です')).toBeGreaterThan(
    similarity('休暇は何日ありますか', '冷蔵庫の食品に名前を書いてください'),
  )
})

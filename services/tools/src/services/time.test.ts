import { expect, test } from 'vitest'
import { convertTime, describe, timeAt } from './time.ts'

const NOW = Date.UTC(2025, 10, 21, 7, 30, 15)

test('the time of a zone, as fields and as text', () => {
  const rome = timeAt(NOW, 'Europe/Rome')
  expect(rome).toEqual({
    timezone: 'Europe/Rome',
    datetime: '2025-11-21T08:30:15+01:00',
    date: '2025-11-21',
    time: '08:30:15',
    day_of_week: 'Friday',
  })
  expect(describe(rome)).toBe('Friday 21 November 2025, 08:30:15 in Europe/Rome (2025-11-21T08:30:15+01:00)')
  expect(timeAt(NOW, 'UTC').datetime).toBe('2025-11-21T07:30:15+00:00')
})

test('a time and a date and time are converted, across midnight and clock changes', () => {
  expect(convertTime('9:00', 'America/New_York', 'Asia/Tokyo', NOW).target.datetime).toBe('2025-11-21T23:00:00+09:00')
  expect(convertTime('20:00', 'America/Los_Angeles', 'Europe/Rome', NOW)).toMatchObject({
    source: { datetime: '2025-11-20T20:00:00-08:00' },
    target: { datetime: '2025-11-21T05:00:00+01:00', day_of_week: 'Friday' },
  })
  expect(convertTime('2025-07-01T12:00', 'Europe/Rome', 'UTC', NOW).target.time).toBe('10:00:00')
  expect(convertTime('2025-03-30T02:30', 'Europe/Rome', 'UTC', NOW).source.time).toBe('03:30:00')
})

test.each([
  ['Mars/Olympus', '10:00'],
  ['Europe/Rome', 'noonish'],
  ['Europe/Rome', '25:00'],
  ['Europe/Rome', '2025-02-30T10:00'],
])('%s at %s is refused with a hint', (zone, time) => {
  expect(() => convertTime(time, zone, 'UTC', NOW)).toThrow(
    expect.objectContaining({ code: 'VALIDATION_ERROR', message: expect.stringMatching(/use|write/) }),
  )
})

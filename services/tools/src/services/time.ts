/// <reference lib="esnext.temporal" />
import { AppError } from '@youworker/contracts/errors'

export interface LocalTime {
  /** IANA name. */
  readonly timezone: string
  /** ISO 8601 with offset, whole seconds. */
  readonly datetime: string
  readonly date: string
  readonly time: string
  readonly day_of_week: string
}

export function timeAt(epochMs: number, timezone: string): LocalTime {
  return localTime(Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(knownZone(timezone)))
}

/**
 * Converts a local time between zones. `time` is `HH:MM` of the current day in `source`, or a local ISO date and time.
 * A time that a clock change skips becomes the one an hour later (RFC 5545 section 3.3.5).
 */
export function convertTime(
  time: string,
  source: string,
  target: string,
  epochMs: number,
): { source: LocalTime; target: LocalTime } {
  const from = knownZone(source)
  const to = knownZone(target)
  const today = Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(from).toPlainDate()
  const zoned = localDateTime(time, today).toZonedDateTime(from)
  return { source: localTime(zoned), target: localTime(zoned.withTimeZone(to)) }
}

export const describe = ({ timezone, datetime, time, day_of_week }: LocalTime): string => {
  const date = Temporal.PlainDate.from(datetime.slice(0, 10)).toLocaleString('en-GB', {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
  })
  return `${day_of_week} ${date}, ${time} in ${timezone} (${datetime})`
}

function localDateTime(time: string, today: Temporal.PlainDate): Temporal.PlainDateTime {
  try {
    return /^\d{1,2}:\d{2}/.test(time) ? today.toPlainDateTime(time.padStart(5, '0')) : Temporal.PlainDateTime.from(time)
  } catch (cause) {
    throw new AppError('VALIDATION_ERROR', `${time} is no time; write HH:MM or a date and time like 2025-06-30T14:30`, { cause })
  }
}

function knownZone(name: string): string {
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name).timeZoneId
  } catch (cause) {
    throw new AppError('VALIDATION_ERROR', `${name} is no time zone; use an IANA name like Europe/Rome or UTC`, { cause })
  }
}

function localTime(zoned: Temporal.ZonedDateTime): LocalTime {
  return {
    timezone: zoned.timeZoneId,
    datetime: zoned.toString({ timeZoneName: 'never', smallestUnit: 'second' }),
    date: zoned.toPlainDate().toString(),
    time: zoned.toPlainTime().toString({ smallestUnit: 'second' }),
    day_of_week: zoned.toLocaleString('en-GB', { weekday: 'long' }),
  }
}

import { z } from 'zod'
import { convertTime, describe, timeAt } from '../services/time.ts'
import { defineTool, type ToolServer } from './tool.ts'

const Zone = z.string().min(1).max(64)
const LocalTime = z.object({
  timezone: z.string(),
  datetime: z.string().describe('ISO 8601 with offset'),
  date: z.string(),
  time: z.string(),
  day_of_week: z.string(),
})

export const datetimeServer = (now: () => number): ToolServer<'datetime'> => ({
  name: 'datetime',
  tools: [
    defineTool({
      name: 'current_datetime',
      title: 'Current date and time',
      description: 'The current date, time and day of the week in a time zone.',
      input: z.object({ timezone: Zone.default('UTC').describe('IANA time zone, for example Europe/Rome') }),
      output: LocalTime,
      async call({ timezone }) {
        const structured = timeAt(now(), timezone)
        return { structured, text: describe(structured) }
      },
    }),
    defineTool({
      name: 'convert_time',
      title: 'Convert a time between time zones',
      description: 'What a time in one time zone is in another one.',
      input: z.object({
        time: z.string().min(1).max(40).describe('HH:MM of the present day, or a local date and time like 2025-06-30T14:30'),
        source_timezone: Zone.describe('IANA time zone of the given time'),
        target_timezone: Zone.describe('IANA time zone to convert to'),
      }),
      output: z.object({ source: LocalTime, target: LocalTime }),
      async call({ time, source_timezone, target_timezone }) {
        const structured = convertTime(time, source_timezone, target_timezone, now())
        return { structured, text: `${describe(structured.source)} is ${describe(structured.target)}` }
      },
    }),
  ],
})

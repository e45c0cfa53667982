import { readXml } from './xml-events.ts'

/** A number of a cell as its style shows it: a date as a date, a share in per cent. */
export type ShowNumber = (number: string, style: number) => string

/** Built-in formats (ECMA-376 part 1, section 18.8.30): 14 to 22 and 45 to 47 are dates and times, 9 and 10 per cent. */
const isBuiltInDate = (id: number) =>
  (id >= 14 && id <= 22) || (id >= 27 && id <= 36) || (id >= 45 && id <= 47) || (id >= 50 && id <= 58)
const DAY_MS = 86_400_000
/** Day 0 of a workbook; Excel counts a 29 February 1900 that there was not. */
const EPOCHS = { usual: Date.UTC(1899, 11, 30), from1904: Date.UTC(1904, 0, 1) } as const
const LAST_DAY = 2_958_466

export function numberFormats(styles: string, from1904: boolean): ShowNumber {
  const custom = new Map<number, string>()
  const formats: number[] = []
  readXml(styles, {
    open: (name, { numFmtId = '0', formatCode = '' }, parent) => {
      if (name === 'numFmt') custom.set(Number(numFmtId), formatCode)
      if (name === 'xf' && parent === 'cellXfs') formats.push(Number(numFmtId))
    },
  })
  const kinds = formats.map((id) => kindOf(id, custom.get(id)))
  const epoch = from1904 ? EPOCHS.from1904 : EPOCHS.usual
  return (text, style) => {
    const number = Number(text)
    if (!Number.isFinite(number)) return text
    const kind = kinds[style]
    if (kind === 'date' && number >= 0 && number < LAST_DAY) return dateOf(number, epoch)
    return kind === 'percent' ? `${rounded(number * 100)}%` : rounded(number)
  }
}

function kindOf(id: number, code: string | undefined): 'date' | 'percent' | 'plain' {
  if (code === undefined) return isBuiltInDate(id) ? 'date' : id === 9 || id === 10 ? 'percent' : 'plain'
  // Without quoted texts, colours and conditions.
  const signs = code.replaceAll(/"[^"]*(?:"|$)|\\.|\[[^\]]*(?:\]|$)/g, '')
  if (/[dmyhs]/i.test(signs) && !/general/i.test(signs)) return 'date'
  return signs.includes('%') ? 'percent' : 'plain'
}

function dateOf(days: number, epoch: number): string {
  const iso = new Date(epoch + Math.round(days * DAY_MS)).toISOString()
  const [date, time] = [iso.slice(0, 10), iso.slice(11, 19)]
  if (days < 1) return time
  return time === '00:00:00' ? date : `${date} ${time}`
}

/** Spreadsheets keep 15 digits; the rest is what binary fractions add. */
const rounded = (number: number): string => String(Number(number.toPrecision(15)))

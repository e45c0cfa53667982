/** What may stand in instructions in double braces. One without a value stays as it is. */
export type Variables = Readonly<Record<'date' | 'user' | 'language' | 'group', string | undefined>>

/** Most that are replaced, so that a prompt full of them cannot grow without end. */
const MOST = 100

/** Replaces variables once, as plain text: what they stand for is not read again, and nothing is ever evaluated. */
export function fillVariables(text: string, values: Variables): string {
  let replaced = 0
  return text.replace(/\{\{(date|user|language|group)\}\}/g, (variable, name: keyof Variables) => {
    const value = values[name]
    replaced += value === undefined ? 0 : 1
    return value === undefined || replaced > MOST ? variable : value
  })
}

export const hasVariable = (text: string, name: keyof Variables): boolean => text.includes(`{{${name}}}`)

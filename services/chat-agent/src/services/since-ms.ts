export const sinceMs = (time: string): number => Math.max(0, Date.now() - Date.parse(time))

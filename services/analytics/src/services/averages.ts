/** One decimal; 0 when there is nothing to divide by. */
export const average = (sum: number, count: number): number => (count === 0 ? 0 : Math.round((sum / count) * 10) / 10)

/** Percent with one decimal. */
export const rate = (part: number, whole: number): number => average(part * 100, whole)

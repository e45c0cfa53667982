/** The most of one with which all are within the budget, when those that are more are cut to it. */
export function evenShare(costs: readonly number[], budget: number): number {
  let left = budget
  for (const [index, cost] of costs.toSorted((one, other) => one - other).entries()) {
    const share = Math.floor(left / (costs.length - index))
    if (cost > share) return Math.max(0, share)
    left -= cost
  }
  return Infinity
}

/** One entry for each name. */
export const recordOf = <N extends string, V>(names: readonly N[], value: (name: N) => V): Record<N, V> =>
  // The library's type forgets the names.
  Object.fromEntries(names.map((name) => [name, value(name)])) as Record<N, V>

/** A record with one entry for each name. */
export const recordOf = <N extends string, V>(names: readonly N[], value: (name: N) => V): Record<N, V> =>
  // The type of `Object.fromEntries` has string keys.
  Object.fromEntries(names.map((name) => [name, value(name)])) as Record<N, V>

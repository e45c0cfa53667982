/** Postgres text holds no NUL and no half of a surrogate pair. */
export const storable = (text: string, max: number): string => text.slice(0, max).replaceAll('\0', '\uFFFD').toWellFormed()

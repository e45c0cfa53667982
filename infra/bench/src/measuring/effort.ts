export const isQuick = process.argv.includes('--quick')

/** With `--quick` one round of short slices, which tells the order of magnitude. */
export const rounds = (usual: number): number => (isQuick ? 1 : usual)
export const sliceMs = (usual: number): number => (isQuick ? usual / 4 : usual)

/** How long a stopping process waits for running work, unless a setting says otherwise. In ms. */
export const GRACE_MS = 8_000

/** Waits until `work` resolves or rejects, but at most `ms`. Returns whether it settled in time. */
export async function settledWithin(ms: number, work: PromiseLike<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<false>()
  const timer = setTimeout(() => late.resolve(false), Math.max(0, ms))
  try {
    return await Promise.race([
      work.then(
        () => true,
        () => true,
      ),
      late.promise,
    ])
  } finally {
    clearTimeout(timer)
  }
}

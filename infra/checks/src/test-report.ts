import { relative } from 'node:path'
import { z } from 'zod'
import { ROOT } from './root.ts'

/** The fields of vitest's JSON report that are used here. */
const Report = z.object({
  numPassedTests: z.number().int(),
  numFailedTests: z.number().int(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(z.object({ status: z.string(), fullName: z.string() })),
    }),
  ),
})

export interface TestTotals {
  readonly passed: number
  readonly failed: number
  readonly failures: readonly string[]
}

/** Sums up a run. A file that could not be loaded counts as a failure, and so does a run that ended with an error outside any test. */
export function readReport(text: string, exitCode: number): TestTotals {
  const parsed = Report.safeParse(parseJson(text))
  if (!parsed.success) return { passed: 0, failed: 1, failures: ['the run broke off before its report was written'] }
  const { numPassedTests: passed, numFailedTests, testResults } = parsed.data
  const failures = testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(ROOT, name)
    const tests = assertionResults.filter((result) => result.status === 'failed').map(({ fullName }) => `${file}: ${fullName}`)
    return status === 'failed' && tests.length === 0 ? [`${file}: ${message?.split('\n')[0] ?? 'could not be run'}`] : tests
  })
  const failed = Math.max(numFailedTests, failures.length)
  if (failed === 0 && exitCode !== 0)
    return { passed, failed: 1, failures: [`an error outside any test (vitest ended with code ${exitCode}); it is shown above`] }
  return { passed, failed, failures }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

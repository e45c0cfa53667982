import { expect, test } from 'vitest'
import { readReport } from './test-report.ts'

const file = (status: string, assertionResults: { status: string; fullName: string }[], message?: string) => ({
  name: '/x/a.test.ts',
  status,
  message,
  assertionResults,
})
const report = (passed: number, failed: number, ...testResults: unknown[]) =>
  JSON.stringify({ numPassedTests: passed, numFailedTests: failed, testResults })

test('a failed test, a file that could not be loaded and a run that ended early each count as a failure', () => {
  const failing = file('failed', [
    { status: 'failed', fullName: 'does it' },
    { status: 'passed', fullName: 'is' },
  ])
  expect(readReport(report(1, 1, failing), 1)).toMatchObject({
    passed: 1,
    failed: 1,
    failures: [expect.stringContaining('does it')],
  })
  expect(readReport(report(5, 0, file('failed', [], 'Cannot find module')), 1)).toMatchObject({
    passed: 5,
    failed: 1,
    failures: [expect.stringContaining('Cannot find module')],
  })
  expect(readReport(report(5, 0), 1)).toMatchObject({ passed: 5, failed: 1 })
  expect(readReport('', 1)).toMatchObject({ passed: 0, failed: 1 })
  expect(readReport(report(5, 0), 0)).toEqual({ passed: 5, failed: 0, failures: [] })
})

export { renewPolicies as up } from '../../../schema/system-tables.ts'

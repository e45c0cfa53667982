export { addTurnsOfJobs as up } from '../../../schema/system-tables.ts'

/** Questions and the passages that answer them, in other words. An embedding that understands text finds each answer among all of them. */
export const PROBES: readonly (readonly [question: string, answer: string])[] = [
  ['How much holiday do I get?', 'Staff are entitled to 27 days of paid leave each year.'],
  ['Where can I leave my car?', 'Parking spaces are in the basement garage.'],
  ['My laptop does not turn on', 'Hardware faults: hold the power button for ten seconds.'],
  ['When do we get our wages?', 'Salaries are transferred on the 25th of the month.'],
  ['Who fixes the heating?', 'Call facility management when a radiator stays cold.'],
  ['Can I do my job from my living room?', 'Remote work is possible on two days a week.'],
  ['I am ill, what now?', "Report sickness to your manager and send a doctor's note."],
  ['Money back for train tickets', 'Travel expenses are reimbursed within four weeks.'],
  ['Is my dog welcome?', 'Pets may be brought to the office by arrangement.'],
  ['What did the company earn?', 'Revenue rose to 12 million euros in the third quarter.'],
  ['fire in the building', 'In an emergency leave by the stairs and meet in the yard.'],
  ['what is there to eat nearby', 'The canteen and two restaurants serve lunch.'],
  ['forgot my secret word for signing in', 'A new password can be set on the login page.'],
  ['speed of light', 'Photons travel at 299,792 kilometres each second.'],
  ['who thought up the telephone', 'Alexander Graham Bell received the patent in 1876.'],
  ['how to keep plants alive', 'Water the basil every morning and give it sun.'],
]

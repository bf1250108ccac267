/** What a user should know before trusting Multitude with anything: a claim, and what follows from it. */
export const SAID: readonly (readonly [claim: string, more: string])[] = [
  ["No contract here has been audited.", "Use test networks and test tokens only."],
  [
    "Inputs and outputs are public.",
    "Anybody can fetch them by their hash while they are kept, and may keep them for ever. Never send what must stay secret.",
  ],
  [
    "Checking is by chance.",
    "Below a replay rate of 100 % a wrong result may escape. The rates are set so that cheating loses money on average, which holds off who reckons, not who does not mind the loss. A buyer who needs certainty raises the rate and pays for it.",
  ],
  [
    "Two thirds of the drawn seats must be honest.",
    "Whether a run was right, whether data could be had and whether a device fell silent is what seats say. How many people hold the seats is shown below.",
  ],
  [
    "The panel judges.",
    "The game that narrows a dispute down to one instruction, which the chain would check by itself, is not there yet: until then a panel of seats decides disputes over every program.",
  ],
  [
    "An engine's bug or a flipped bit costs stake like a lie.",
    "A device that signs a wrong result in good faith is convicted all the same.",
  ],
  ["The settler can delay.", "It can neither take nor forge. After a grace another bonded settler may post its work."],
  [
    "A settler in league with a device may withhold data.",
    "It looks at the seed first, and withholds where a lie was drawn: the receipts are void, nobody is slashed, and they can be posted again under another seed. A buyer relies on its settler for that.",
  ],
  [
    "A silent settler's job can be held up.",
    "Another bonded settler can post nonsense for it until the claim time is over. It gains nothing by that.",
  ],
  [
    "The beacon is for test networks.",
    "Draws come from the hash of a block, which whoever builds that block can influence. drand is not there yet.",
  ],
  [
    "Redraw voters are not slashed.",
    "Where they said “right” and a later conviction says otherwise, only the seats of the first draw lose stake.",
  ],
  [
    "A device is paid what it asks.",
    "There is no uniform price until the auction is there: who asks little earns little.",
  ],
  [
    "“Accepted” and “attested” are the market's word.",
    "What is final can be verified against the chain and the blobs, on the audit pages.",
  ],
  [
    "This market is one operator.",
    "It can refuse to serve you, and it sees where you connect from. It holds no funds and signs for nobody.",
  ],
];

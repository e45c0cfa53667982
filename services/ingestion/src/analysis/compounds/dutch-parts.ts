/** Words that Dutch compounds are made of, as `GERMAN_PARTS`. */
export const DUTCH_PARTS = `
  aanbieding aandeel aandeelhouder aangifte aanmelding aanpassing aanslag aantal aanvraag aanvrager aard aardappel aardbeving academie actie adres
  advies adviseur advocaat afdeling afspraak afstand afval agenda akkoord alarm ambtenaar analyse angst antwoord apotheek appel arbeid arbeider
  archief arm artikel arts asiel auto avond baan baas bad bak bakker bal balie band bank bed bedrag bedrijf bedrijven been behandeling beheer
  beheerder belang belasting belegging beleid bemiddeling benzine berg bericht beroep bescherming besluit bestand bestelling bestemming bestuur
  bestuurder betaling beurs beveiliging beweging bewijs bewoner bezoek bezoeker bezwaar bibliotheek bier bijdrage bijeenkomst blad bloed bloem
  bloemen boek boeken boer boete boom boot bord bos boter bouw brand brandstof brief brieven bril broek broer brood brug bruiloft budget buis bureau
  burgemeester burger bus buurt cel centrum certificaat chef cijfer cliënt code collega college commissie computer contact contract contributie
  controle cultuur cursus dag dagen dak datum deel deelnemer deur dienst dienstverlening dier dieren dijk directeur document dokter donder doos dorp
  draad druk duur echtgenoot echtscheiding eenheid eigenaar eigendom einde element energie erf examen expert fabriek factuur familie feest fiets
  fietsen film filter financiën fonds formulier foto fout functie gas gast gasten gebied gebouw gebruik gebruiker gedrag gegevens geld geldigheid
  gemeente genees- geneesmiddel gerecht geschiedenis geschil gesprek gevaar gevangenis gevel gevolg gewicht gezin gezondheid glas god goederen goud
  graan grens groente groenten groep grond haar hand handboek handel handeling handleiding haven heffing helm herstel hond honden hoofd hotel houder
  hout huid huis huizen hulp huur huurder huwelijk idee informatie ingang inhoud inkomen inkoop inschrijving instelling instructie investering
  invoer jaar jas jeugd jongeren kaart kaarten kaas kabel kalender kamer kandidaat kanker kans kantoor kapitaal kast kat kerk keuken keuring keuze
  kind kinder kinderen klacht klachten klant klanten klas kleding kleur klimaat koffie koning kop kosten kracht krant krediet kunst kwaliteit laag
  lamp land landbouw last leden leer- leerling leerlingen leger lening les lessen leven leverancier levering lezer licht lid lidmaatschap lijn lijst
  literatuur lonen loon looptijd lucht luchthaven maand maatregel maatschappij machine man mannen map markt materiaal medewerker melding melk mens
  mensen mes meter methode middel milieu minister ministerie moeder motor munt muur muziek naam nacht natuur net netwerk nieuws noodgeval norm
  nummer object olie omgeving omzet onderhoud ondernemer onderneming onderwerp onderwijs onderzoek ongeval ongevallen ontslag ontwerp ontwikkeling
  oorlog opdracht opdrachtgever opening opleiding oppervlakte opslag organisatie ouder overeenkomst overheid overleg overlijden paard paarden pad
  pakket pand papier park parkeer- parkeerplaats partij partner patiënt patiënten pauze pensioen periode personeel persoon pijn pijp plaats plan
  plant planten platform plein ploeg poging politie politiek poort post praktijk premie president prijs prijzen probleem procedure proces product
  productie proef proeftijd programma project punt raad raam recht rechtbank rechten rechter regel regeling regering regio register reis reiskosten
  reizen reiziger rekening rente reparatie reserve restaurant resultaat rij- rijbewijs risico rivier rol rook roos ruimte salaris samenwerking
  schaal schade scheiding schip schoen schoenen scholen school schrijver schuld schulden sector sleutel slot snelheid software soort spoor sport
  staat stad standpunt station stem sterfte steun stichting stoel stof straat straf stroom student studenten studie subsidie systeem taak taal tafel
  tand tandarts tarief taxi team tekst telefoon termijn terrein theater thee tijd tijdschrift titel toegang toekomst toelage toerist toeslag
  toestemming toets trap trein treinen tuin tunnel uitgave uitkering uitnodiging uitslag universiteit uren uur vader vak vakantie vakbond vee
  veiligheid veld vennoot vennootschap verandering verband verblijf verbruik verdrag vereniging vergadering vergoeding vergunning verhuizing verhuur
  verkeer verklaring verkoop verkoper verlies verlof vermogen verplichting verslag vertegenwoordiger vertraging vertrek vervoer verwarming
  verwerking verzekeraar verzekering verzoek verzuim vis vlees vlieg- vliegtuig vloer voeding voedsel voet voetbal vogel voorstel voorwaarde
  voorwaarden voorziening vorm vraag vragen vrede vriend vrijheid vrouw vrouwen vuur waarborg waarde wagen wand wapen water web wedstrijd week weer
  weg wegen werk werkgever werknemer werkplaats werkplek wet wetgeving wetten wijk wijn wijziging wind winkel winst winter woning woningen woon-
  zaak zaal zak zaken zeden zee zeker- zekerheid zieken ziekenhuis ziekte ziekteverzuim zomer zon zone zorg zorgen zout zuster zwanger- zwangerschap
`

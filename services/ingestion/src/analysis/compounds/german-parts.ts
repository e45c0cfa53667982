/**
 * Words that German compounds are made of, as they stand alone. A hyphen at the end marks what only stands before others, such as the stem
 * of a verb. Chosen by hand, from what offices, companies, authorities, engineers and households write about.
 */
export const GERMAN_PARTS = `
  abbau abbruch abend abfahrt abfall abfindung abflug abfluss abfrage abfuhr abgabe abgang abgas abgeordnete abgleich abhängigkeit abhilfe abholung
  abitur abkommen ablage ablauf ablehnung ableitung ablösung abmahnung abmeldung abnahme abonnement abrechnung abriss abruf absage absatz abschied
  abschlag abschluss abschnitt abschreibung absender absicherung absicht absolvent absprache abstand abstieg abstimmung absturz abteil abteilung
  abtretung abwasser abwehr abweichung abwesenheit abwicklung abzug achse acker adapter adel ader adler administration administrator adresse affe
  agent agentur akademie akku akt akte akteur aktie aktion aktionär aktivität alarm algorithmus alkohol allergie allianz alltag alt- alter amateur
  ameise ampel ampere amt analyse ananas anbau anbieter anbindung andenken änderung anerkennung anfänger anfechtung angabe angebot angehörige angel
  angelegenheit angestellte angriff angst anhang anhänger anhörung anker anklage ankunft anlage anlass anlauf anleger anlegung anleihe anleitung
  anlieferung anliegen anmeldung annahme anordnung anpassung anrede anregung anreicherung anreise anreiz anruf ansage ansatz anschaffung anschlag
  anschluss anschreiben anschrift ansehen ansicht anspruch anstalt anstieg anteil antenne antrag antragsteller antrieb antritt antwort anwalt
  anweisung anwender anwendung anwesenheit anzahl anzahlung anzeige anzug apfel apotheke apparat appetit april arbeit arbeiter arbeitgeber
  arbeitnehmer architekt architektur archiv archivar areal arena argument arm armee art artikel arznei arzt asche asphalt assistent assistenz ast
  asyl atelier atem atlas atmosphäre atom attest attraktion attrappe aufbau aufbewahrung aufenthalt auffassung aufgabe aufhebung aufkleber auflage
  auflösung aufmerksamkeit aufnahme aufsatz aufschlag aufschub aufseher aufsicht aufstand aufstellung aufstieg auftrag auftraggeber auftragnehmer
  auftritt aufwand aufzeichnung aufzug auge augen august auktion ausbau ausbilder ausbildung ausdruck ausfall ausflug ausfuhr ausführung ausgabe
  ausgang ausgleich aushang aushilfe auskunft auslage ausland ausländer auslastung ausleihe auslieferung auslöser ausnahme auspuff ausrichtung
  ausrüstung aussage ausschank ausscheiden ausschluss ausschreibung ausschuss außen- aussicht ausstattung aussteller ausstellung ausstieg austausch
  austritt auswahl ausweis auswertung auswirkung auszahlung auszeichnung auszeit auszubildende auszug auto autobahn automat automobil autor
  autorität axt baby bach back- backe bäcker bäckerei backup bad bade- bagger bahn bahnhof bahre bakterie balken balkon ball ballast ballon banane
  band bande bank bankett bar baracke barriere bart basar basis bass batterie bau bauch bauer bauern baum baumwolle baustelle beamer beamte
  beanstandung beantragung bearbeiter bearbeitung beauftragte becher becken bedarf bedeutung bedienung bedingung bedürfnis beerdigung beere befehl
  befestigung befragung befreiung befugnis befund begegnung begleitung begriff begründung begrüßung begutachtung behälter behandlung behinderung
  behörde beihilfe beilage bein beirat beispiel beistand beitrag beitritt bekanntmachung bekleidung belag belastung beleg belegschaft belegung
  beleuchtung belohnung bemerkung bemessung benachrichtigung benutzer benutzername benutzung benzin beobachtung berater beratung berechnung bereich
  bereinigung bereitschaft bereitstellung berg bergwerk bericht berichtigung beruf berufs- berufung berührung besatzung beschaffung beschäftigte
  beschäftigung bescheid bescheinigung beschichtung beschleunigung beschluss beschränkung beschreibung beschwerde besen besetzung besichtigung
  besitz besitzer besoldung besprechung bestand bestandteil bestätigung besteck bestell- bestellung bestimmung besuch besucher betäubung beteiligung
  beton betrachtung betrag betreiber betreuer betreuung betrieb betriebsrat betrug bett beutel bevölkerung bewachung bewässerung bewegung beweis
  bewerber bewerbung bewertung bewilligung bewirtung bewohner bewusstsein bezahlung bezeichnung beziehung bezirk bezug bibel bibliothek biene bier
  bilanz bild bilder bildschirm bildung binde bindung bio- biographie biologie birne biss bisswunde bitte blase blatt blau- blech blei bleistift
  blende blick blind- blitz blitzer block blume blumen bluse blut blutdruck blüte blutung blutzucker boden bogen bohne bohr- bohrer bohrung bolzen
  bombe bonus boot bord börse bote botschaft box branche brand braten brauch brauerei braun- braut brei breite brems- bremse brenner brennstoff
  brett brief briefkasten brille bringer brot browser bruch brücke bruder brunnen brust brut brutto buch buchhalter buchhaltung buchstabe bucht
  buchung budget bügel bühne bund bundes bundestag bündnis bunker burg bürge bürger bürgermeister bürgschaft büro bursche bus busch bußgeld butter
  cache camp campus chance charakter charta chef chemie chemikalie chip chirurg chirurgie chor christ chronik client cloud code computer container
  controlling cookie creme dach dachstuhl dame dämmung dampf darlehen darm darstellung datei daten datenbank datenschutz datum dauer daumen debatte
  deck decke deckel deckung defekt deich dekan demenz demokratie demonstration denk- denkmal depot depression design dessert deutung dezember
  diagnose diagramm dialog diamant diät dichte dichter dichtung dieb diebstahl diele diener dienst dienstag dienstleister dienstleistung dienstreise
  diesel diplom direktor diskussion dissertation distanz disziplin dokument dokumentation dolmetscher dom donner donnerstag doppel- dorf dorn dose
  dosierung dosis dozent drache draht drama dreck dreh- dreieck droge drohne drohung druck drucker drüse dübel dünger dunkel- durchfahrt durchfall
  durchführung durchgang durchmesser durchsage durchschlag durchschnitt durchsicht durchsuchung dürre durst dusch- dusche ebene echo eck ecke effekt
  ehe ehegatte ehre ehrenamt ehrung eiche eichung eid eier eigen- eigentum eigentümer eignung eil- eile eimer einbau einblick einbruch einfahrt
  einfall einfluss einführung eingabe eingang eingriff einheit einigung einkauf einkommen einkommensteuer einkunft einladung einlage einlass
  einleitung einreichung einreise einrichtung einsatz einschränkung einschreiben einschulung einsicht einsparung einspruch einstellung einstieg
  einstufung einteilung eintrag eintragung eintritt einwand einweg- einweihung einweisung einwilligung einwohner einzahlung einzel- einzug eisen
  eisenbahn eiweiß elastizität elefant elektriker elektrizität elektro- elektronik element eltern elternzeit email emission empfang empfänger
  empfehlung ende- endung energie engel enkel ensemble entdeckung entfernung entführung entgelt enthaltung entladung entlassung entlastung
  entlohnung entnahme entschädigung entscheidung entschuldigung entsorgung entwässerung entwickler entwicklung entwurf entzug entzündung epidemie
  epoche erb- erbe erbschaft erd- erdbeben erde erdgas erdöl erdrutsch ereignis erfahrung erfassung erfinder erfindung erfolg erforschung erfüllung
  ergänzung ergebnis erhaltung erhebung erhöhung erholung erinnerung erkältung erkenntnis erkennung erklärung erkrankung erlass erlaubnis erlebnis
  erlös ermächtigung ermäßigung ermittlung ernährung erneuerung ernte eröffnung erpressung erreger ersatz erscheinung erschließung erschöpfung
  erstattung erteilung ertrag erwachsene erwartung erweiterung erwerb erz erzeuger erzeugnis erzeugung erzieher erziehung esel ess- esser essig
  estrich etage etappe etat etikett evolution examen exemplar existenz experiment experte export express extremist fabrik fach facharzt fackel faden
  fähigkeit fahndung fahne fahr- fähre fahrer fahrgast fahrkarte fahrplan fahrrad fahrt fahrzeug faktor fakultät fall falle familie fang fantasie
  farb- farbe fasching faser fass fassade fassung fasten- februar feder fehler feier feierabend feiertag feige feile feind feinstaub feld fell fels
  fenster ferien fern- fernseher fertigung fest festival festnetz festplatte feststellung festung fett feuer feuerwehr fieber figur filiale film
  filter finanz finanzen finanzierung finder finger firewall firma fisch fischerei flach- fläche flagge flamme flansch flasche fleck fleisch fliege
  fliese fliesen floß flöte flotte flucht flüchtling flug flügel flughafen flugzeug fluor flur fluss flüssigkeit flut fohlen folge folie folter
  förder- forderung förderung form format formel formular forscher forschung forst fortbildung fortschritt fortsetzung foto fotografie fracht frage
  fragebogen fraktion frau frauen freigabe freiheit freistellung freitag freizeit fremd- frequenz freude freund freundschaft frieden friedhof
  friseur frist front frosch frost frucht früh- frühjahr frühling frühstück fuchs führer führerschein führung führungs- fund funk funktion furcht
  fuß fußball fußgänger futter fütterung gabe gabel galerie gang gans garage garantie garderobe gardine garn garten gärtner gas gaspedal gasse gast
  gäste gaststätte gatte gattung gebäck gebärde gebäude geber gebet gebiet gebirge gebiss gebot gebrauch gebühr geburt geburtstag gedächtnis gedanke
  gedicht geduld gefahr gefährdung gefangene gefängnis gefäß geflügel gefühl gegend gegenstand gegenteil gegner gehalt geheimnis gehhilfe gehör
  gehweg geige geist geistes gelände gelb- geld gelegenheit gelenk gemälde gemein- gemeinde gemeinschaft gemüse genehmigung generation generator
  genossenschaft genuss geographie geologie gepäck gerät geräusch gericht geruch gerüst gesamt- gesang geschäft geschäftsführer geschehen geschenk
  geschichte geschirr geschlecht geschmack geschoss geschwindigkeit geschwister gesellschaft gesellschafter gesetz gesicht gespräch gestalt
  gestaltung geständnis gestein gestell gesuch gesundheit getränk getreide getriebe gewächs gewähr gewährleistung gewalt gewässer gewebe gewehr
  geweih gewerbe gewerkschaft gewicht gewinde gewinn gewissen gewitter gewohnheit gewürz gift gipfel gips gitarre gitter glanz glas glaser glaube
  gläubiger gleichstellung gleis gleitzeit gletscher glied glocke glück glüh- gold golf gott grab graben grad grafik gramm gras grau- gremium grenz-
  grenze grenzwert griff grill grippe groß- größe grube grün- grund gründer grundgesetz grundlage grundriss grundschule grundstück gründung gruppe
  gruß gummi gurke gurt gürtel guss gut gutachten gutachter güter gutschein gutschrift gymnasium haar habilitation hafen hafer haft haftpflicht
  haftung hagel hahn hai haken halb- halde halle hals halt halter haltung hammer hand handel handelskammer händler handlung handschuh handtuch
  handwerk handwerker handy hang hart- harz hase haube haufen haupt- haus hausarzt häuser haushalt hausmeister haut hebamme hebel hecht hecke heft
  heide heil- heilung heim heimat heirat heiß- heiz- heizkörper heizöl heizung held helfer helm hemd hemmung hengst herbst herd herde herkunft herr
  herren hersteller herstellung hertz herz heu hilfe hilfs- himmel hindernis hinterbliebene hinweis hirn hirsch hitze hobby hobel hoch- hochschule
  hochwasser hochzeit hof hoffnung höhe höhle hölle holz homeoffice honig honorar hopfen hör- horn hörsaal hose hospital hotel hubschrauber huf
  hügel huhn hühner humor hund hunger husten hut hütte hydrant hygiene idee identität igel immobilie impf- impfstoff impfung implantat import impuls
  index industrie infarkt infektion inflation information infrastruktur ingenieur inhaber inhalt initiative insasse insekt insel insolvenz
  inspektion installation instanz instinkt institut institution instrument integration intelligenz interesse internet intervall interview
  invalidität inventar inventur investition isolation isolierung jacke jagd jäger jahr jahres jahrhundert jalousie januar journal journalist
  jubiläum jude jugend jugendliche juli jung- jungen jungfrau juni jurist justiz kabel kabine käfer kaffee käfig kai kaiser kajak kalb kalender kalk
  kalkulation kalt- kälte kamera kamin kamm kammer kampagne kampf kämpfer kanal kanalisation kandidat kaninchen kanne kanone kante kantine kanzlei
  kanzler kapelle kapital kapitän kapitel kappe kapsel karriere karte kartei kartell kartoffel karton käse kasko kasse kassette kasten katalog
  katastrophe kater katze kauf käufer kaution kegel kehle keim keller kellner kenntnis kennwort kennzahl kennzeichen kennzeichnung keramik kern
  kerze kessel kette kiefer kilo kilogramm kilometer kind kinder kindergarten kindheit kino kiosk kirche kirsche kissen kiste kita klage kläger
  klammer klamotte klang klappe klasse klausel klausur klavier klebe- kleid kleider kleidung klein- klemme kletter- klick klient klima klimaanlage
  klinge klingel klinik klo kloster klub knall knecht knie knoblauch knochen knopf knoten koch koffer kofferraum kohl kohle kolben kollege
  kollektion kolonie kombination komfort komma kommando kommissar kommission kommunal- kommune kommunikation komödie kompass kompetenz komponente
  kompost kompromiss konferenz konflikt kongress könig königin konkurrenz konsole konsum kontakt kontingent konto kontroll- kontrolle konzentration
  konzept konzern konzert kooperation koordination kopf kopie kopier- koralle korb kork korn körper körperschaft korrektur korrespondenz korridor
  kost kosten kostüm kraft kraftfahrzeug kraftstoff kraftwerk kragen kralle kran kranken- krankenhaus krankenkasse krankheit krankmeldung kranz
  kraut kräuter krebs kredit kreis kreislauf kreuz kreuzung krieg kriminal- kriminalität krippe krise kristall kriterium kritik krokodil krone kröte
  kubik- küche kuchen kuckuck kugel kuh kühe kühl- kühlschrank kühlung kultur kultus- kummer kunde kunden kündigung kunst künstler kunststoff kupfer
  kupplung kur kursus kurve kurz- kurzarbeit kürzung kuss küste labor laborwert lachs lack lade- laden ladesäule ladung lage lager lagerung lamm
  lampe land länder landes landschaft landtag landung landwirt landwirtschaft lang- länge langzeit lappen laptop lärm laser last laster lastwagen
  latein laterne latte laub lauf läufer laufwerk laufzeit laune laut lautsprecher lawine lawinen leasing leben lebens- lebenslauf lebensmittel leber
  leck leder leer- lehr- lehre lehrer lehrgang lehrling lehrplan lehrstuhl leib leiche leichnam leid leih- leidenschaft leihe leim leine leinwand leiste leistung
  leiter leitfaden leitung lektion lenkrad lern- lese- leser leucht- leuchte lexikon licht liebe lied liefer- lieferant lieferschein lieferung liege
  linde linie linse lippe liste liter literatur lizenz lob loch lockerung löffel lohn löhne lokal lösch- löschung lösung lot löwe luchs lücke luft
  lüftung lunge lupe lust luxus maat macher macht mädchen magazin magen magnet mahl- mahlzeit mahn- mahnung mai makler maler malerei management
  manager mandant mandat mangel mängel- mann männer mannschaft mantel mappe märchen marder mark marke marketing markierung markt marmelade marmor
  marsch märz maschine maschinenbau masern maske maß massage masse maßnahme mast material mathematik matratze matrose mauer maul maus mechaniker
  medaille medien medikament medizin meer meeting mehl mehr- mehrheit mehrwert mehrwertsteuer meile meinung meister meisterschaft melde- meldung
  melodie memoiren menge mensa mensch menschen menü merkmal mess- messe messer messung metall meter methode metzger miet- miete mieter mietvertrag
  migration mikrofon milch militär milliarde millimeter million minderheit minderung mindest- mineral minister ministerium minute minuten mischung
  mission mitarbeiter mitarbeiterin mitbestimmung mitglied mitglieder mitgliedschaft mitnahme mittag mitte mitteilung mittel mittelwert mittwoch
  mixer möbel mobil- mobilität mode modell modem modul möglichkeit möhre moment monat mond monitor montag montage moor moped moral mord mörder
  morgen mörtel moschee motiv motor motorrad motte möwe müdigkeit mühle müll multi- mund mündung munition münze muschel museum musik musiker muskel
  muster mut mutter mütter mütze mythos nabel nachbar nachbesserung nachfolge nachfolger nachfrage nachhilfe nachlass nachmittag nachname nachricht
  nachrichten nachspeise nacht nachteil nachtisch nachtrag nachtschicht nachweis nadel nagel näh- nähe nahrung nahrungsmittel naht nahverkehr name
  namen narbe narkose nase nass- nation national- natur naturschutz nebel neben- neffe nehmer neigung nelke nennung nerv nest netto- netz netzteil
  netzwerk neu- neubau neugier nichte niederlage niederlassung niederschlag niere niete nord- norden norm not- notar notariat notdienst note notfall
  nothilfe notiz notruf november nudel null- nummer nuss nutz- nutzen nutzer nutzung oberfläche objekt obst ofen öffentlichkeit offizier öffnung ohm
  ohr öko- oktober oliven olympia oma onkel oper operation opfer optik orange orchester orden ordner ordnung organ organisation orgel orientierung
  ort ost- osten oxid ozean ozon paar pacht päckchen pädagoge paket palast palette palme pandemie panne panzer papier pappe paprika papst parade
  parfüm park parkett parkhaus parkplatz parkuhr parlament partei partie partner partnerschaft party pass passage passagier passwort pasta paste
  pastor patch pate patent patient patientin patrone pause pellet pelz pendel pendler pension pensionär pensum periode person personal personalrat
  personen persönlichkeit perspektive pfad pfand pfändung pfanne pfarrer pfeffer pfeife pfeil pfennig pferd pferde pfirsich pflanze pflaster pflaume
  pflege pfleger pflicht pflug pforte pförtner pfosten pfund phase philosophie photovoltaik physik pilot pilz pinsel piste pistole plakat plan
  planer planet planke planung plastik platte platz plätze platzierung podium pokal pol police politik politiker polizei polizist polster pony pool
  portal porto portrait position post posten postfach potential prägung praktikant praktikum prämie präsentation präsident praxis preis preisträger
  presse pressung priester prinz prinzip priorität prisma privat- probe probearbeit probezeit problem produkt produktion produzent professor profil
  prognose programm programmierer projekt promotion propaganda prophet prospekt protein protest prothese protokoll protokollant protokollierung
  provinz provision prozent prozess prüf- prüfer prüfling prüfung psychologe psychologie publikation publikum pudding puls pult pulver pumpe punkt
  puppe putz- pyramide quadrat quadratmeter qualifikation qualifizierung qualität quantität quartal quartier quell- quellcode quelle quetschung
  quittung quote rabatt rad räder radio radweg rahmen rakete rampe rand rang rasen rasier- rassismus rast rat rate räte raten rathaus rätsel ratte
  raub rauch raucher raum räume raumfahrt räumung raupe rausch reaktion reaktor realisierung rebe rechen- rechenzentrum rechner rechnung recht
  rechte rechtfertigung rechtsanwalt rechtschreibung recycling redaktion rede reduzierung referat referent reform regal regel regelung regen regie
  regierung regiment region register registrierung reh reibung reich reichweite reife reifen reihe reihenfolge reinigung reis reise reisender reit-
  reiter reiz reklamation rekord rektor rektorat release religion renn- rennen renovierung rente rentner reparatur report reporter republik reserve
  reservierung residenz resolution respekt ressource rest restaurant retoure rettung revier revision revolution rezept rezeption rhythmus richter
  richtlinie richtung richtwert riemen riese rind rinde rinder ring rippe risiko riss ritter robbe roboter rock roggen roh- rohr rohstoff rolle
  rollen roller rollstuhl roman röntgen rose rost rot- rotation rotwein route router rübe rubrik ruck rücken rückfrage rückgabe rückgang rückkehr
  rücklage rückmeldung rucksack rücksendung rücksicht rückstand rücktritt rückzahlung ruder ruf rufnummer rüge ruhe ruhestand ruhm ruhr rumpf rund-
  runde rundfunk rüstung saal saat sabotage sach- sachbearbeiter sache sachverhalt sachverständige sack saft säge sahne saison saite salat salbe
  salben saldo salz samen sammel- sammlung samstag sand sandale sänger sanierung sanitär satellit sattel satz satzung sau sauerstoff säugling säule
  sauna säure schach schacht schachtel schädel schaden schäden schadenersatz schadensersatz schadstoff schaf schäfer schal schale schall schalt-
  schalter schaltung scham schatten schatz schätzung schau schaufel schaum scheck scheibe scheidung schein scheitel schema schenke schere schicht
  schicksal schiedsgericht schiedsrichter schiene schienen- schiff schifffahrt schild schilling schimmel schinken schirm schlacht schlaf schlag
  schlamm schlange schlauch schleife schleim schlepper schleuse schlitten schlitz schloss schluss schlüssel schmelz- schmerz schmetterling schmied
  schmuck schmutz schnabel schnalle schnaps schnecke schnee schneid- schneider schnell- schnitt schnittstelle schnitzel schnupfen schnur schock
  schokolade schonung schrank schranke schraube schrauben schreck schrei schreib- schreiben schreiber schreiner schrift schritt schrott schub
  schublade schuh schul- schuld schulden schuldner schule schüler schulter schulung schuss schüssel schuster schutt schutz schütze schwäche schwalbe
  schwamm schwan schwangerschaft schwank schwanz schwarz- schwefel schwein schweine schweiß schwelle schwer- schwester schwimm- schwimmer schwindel
  schwingung schwung schwur see seele segel segen seh- sehne seide seife seil seite seiten- sekretär sekretariat sektor sekunde sekunden selbst-
  semester seminar senat senator sende- sender sendung senf senior senkung sensation sensor september serie server service sessel sicher- sicherheit
  sicherung sicht sieb siedlung sieg siegel signal silber simulation sinfonie sinn sirene sitte sitz sitzung skandal skelett ski skizze sklave
  skonto smartphone software sohle sohn solar- solaranlage soldat solidarität sommer sonde sonder- sonne sonnen sonntag sorge sorte sortierung soße
  sozial- spalte span spange spannung spar- spargel spät- spaten spatz spazier- specht speck spedition speer speiche speicher speise spende spender
  sperr- sperre sperrmüll spesen spezial- spiegel spiel spieler spielzeug spinat spinne spion spital spitze sponsor sport sportler sprach- sprache
  spray sprech- sprecher spreng- sprengstoff springer spritze spruch sprung spül- spülmaschine spülung spur staat stab stadion stadt städte staffel
  stahl stall stamm stand standard ständer standort stange stapel star stark- stärkung start station statistik stativ stätte statue status statut
  stau staub staudamm steck- stecker steg stege steh- steigerung stein stelle stellen stellplatz stellung stellvertreter stempel stern steuer
  steuerberater steuerung stich stichprobe stichtag stiefel stiefmutter stier stift stiftung stil stille stimm- stimme stimmung stipendiat
  stipendium stirn stock stoff storch stornierung storno störung stoß straf- strafe strahl strahlung strand strang strapaze straße straßen-
  straßenbahn strategie strauch strauß strecke streifen streik streit stress strich strick stroh strom strömung struktur strumpf stube stück student
  studie studium stufe stuhl stumm- stunde stunden sturm sturz stütze subvention such- suche sucher sucht süd- süden summe sumpf sünde supermarkt
  suppe symbol symptom system szene tabak tabelle tablet tablett tablette tabletten tadel tafel tag tage takt tal talent tank tankstelle tanne tante
  tanz tänzer tapete tarif tarifvertrag tarnung tasche tasse tastatur taste tat täter tätigkeit tatsache taube tauch- taucher taufe tausch taxi
  technik techniker technologie tee teer teich teig teil teilnahme teilnehmer teilung teilzeit telefon telefonat teller tempel temperatur tempo
  tempolimit tendenz tennis teppich termin terminal terrasse territorium terror test testament teufel text textil theater theke thema theorie
  therapeut therapie thron ticket tief- tiefe tier tilgung tinte tipp tisch tischler titel tochter tod todes toilette token toleranz tomate ton
  tonne topf tor torte tote tourismus tourist touristik tradition trag- träger tragödie trainer training traktor träne trank transfer transport
  traube trauer traum trauung treff- treffen treib- treiber treibhaus- treibstoff trend trenn- trennung treppe treue tribüne trick trieb trink-
  tritt trocken- trockner trocknung trommel tropfen trost trümmer truppe tube tuch tugend tulpe tumor tür turbine turm turn- turnier tutor typ
  übergabe übergang überholung überlassung überlastung übermittlung übernachtung übernahme überprüfung überraschung überschrift überschuss
  überschwemmung übersetzer übersetzung übersicht überstunde überstunden übertragung überwachung überweisung überzeugung übung ufer uhr ultraschall
  umbau umfang umfrage umgang umgebung umkehr umlage umlauf umleitung umriss umsatz umsatzsteuer umschlag umschulung umsetzung umstand umstellung
  umtausch umwandlung umweg umwelt umweltschutz umzug unfähigkeit unfall unfallversicherung ungeziefer uniform union universität unkosten unkraut
  unruhe unterhalt unterhaltung unterkunft unterlage unterlagen unternehmen unternehmer unterricht unterschied unterschrift unterstützung
  untersuchung unterteilung unwetter update upgrade urheber urheberrecht urin urkunde urlaub ursache ursprung urteil vater väter vegetation ventil
  veränderung veranstalter veranstaltung verantwortung verarbeitung verband verbesserung verbindung verbot verbrauch verbraucher verbrechen
  verbrecher verbreitung verbrennung verbund verdacht verdampfer verdichtung verdienst verein vereinbarung vereinigung verfahren verfall verfassung
  verfolgung verfügbarkeit verfügung vergabe vergangenheit vergleich vergnügen vergütung verhalten verhältnis verhandlung verhütung verifizierung
  verjährung verkauf verkäufer verkehr verkleidung verlag verlängerung verlauf verleih verleihung verletzung verlobung verlosung verlust vermarktung
  vermehrung vermeidung vermerk vermesser vermessung vermieter vermietung vermittler vermittlung vermögen vernehmung vernichtung vernunft
  veröffentlichung verordnung verpackung verpflegung verpflichtung verrat verringerung versagen versammlung versand verschiebung verschluss
  verschlüsselung verschmutzung verschuldung verschwendung verschwörung versicherer versicherte versicherung version versorgung verspätung
  versprechen verständigung verständnis verstärker verstärkung verstoß versuch verteidigung verteilung vertrag verträge vertragsstrafe vertrauen
  vertreter vertretung vertrieb verursacher verwahrung verwalter verwaltung verwandte verwandtschaft verwarnung verweis verwendung verwertung
  verzeichnis verzicht verzinsung verzögerung verzug vetter video vieh viertel villa virus visum vitamin vogel vögel volk völker volkswirtschaft
  voll- vollmacht vollstreckung volt volumen vorarbeit vorbehalt vorbereitung vorbild vorfall vorgang vorgesetzte vorhaben vorhang vorjahr vorlage
  vorlesung vormittag vormund vorname vorort vorrat vorrichtung vorruhestand vorschau vorschlag vorschrift vorschule vorschuss vorsicht vorsitz
  vorsitzende vorsorge vorspeise vorsprung vorstand vorstellung vorteil vortrag vorwahl vorwurf vorzug vulkan waage wach- wache wachs wachstum
  wächter waffe wagen waggon wahl wähler wahlkreis wahrheit wahrnehmung wahrscheinlichkeit wahrung währung waise waisen wal wald wall walze wand
  wandel wander- wanderung wandlung wange wanne wanze wappen ware waren warm- wärme wärmepumpe warn- warnung warte- wärter wartung wasch- wäsche
  waschmaschine wasser wasserstoff watt webseite website wechsel wecker weg wege wegfall wehr weich- weiche weide weihnacht weihnachten wein weise
  weiß- weisung weiterbildung weiterleitung weizen welle welt wende werbe- werbung werft werk werkstatt werkzeug wert wertpapier wertstoff wesen
  wespe west- weste westen wett- wettbewerb wette wetter wettkampf whisky wickel- widerruf widerspruch widerstand wiedergabe wiederherstellung
  wiederholung wiegung wiese wild wille wind windel winkel winter wirk- wirkung wirt wirtschaft wissen wissenschaft wissenschaftler witwe witwen
  witz woche wochen wochenende wohl wohn- wohnung wolf wolke wolle wort wörter wörterbuch wucher wuchs wund- wunde wunder wunsch würde würdigung
  wurf würfel wurm wurst wurzel wüste wut zahl zähler zahlung zählung zahn zahnarzt zähne zange zauber zaun zebra zeche zehe zeichen zeichnung zeile
  zeit zeiten zeitraum zeitschrift zeitung zelle zelt zement zensur zentimeter zentrale zentrum zerlegung zertifikat zertifizierung zettel zeug
  zeuge zeugen zeugnis zeugung ziege ziegel ziel zimmer zins zinsen zirkel zirkus zitat zitrone zoll zone zoo zubehör zucht züchter züchtung zucker
  zufall zufluss zufuhr zug zugang züge zugriff zukunft zulage zulassung zulieferer zunahme zündkerze zündung zunge zuordnung zurück- zusage
  zusammenarbeit zusammenfassung zusammenhang zusatz zuschauer zuschlag zuschuss zustand zuständigkeit zustellung zustimmung zuteilung zutritt
  zuverlässigkeit zuwachs zuwanderung zuweisung zuwendung zwang zweck zweifel zweig zweit- zwilling zwinger zwischen- zyklus zylinder
`

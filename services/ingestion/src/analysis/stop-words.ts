/** Words that do not show the topic of a question, by language: articles, pronouns, prepositions, auxiliary and question words. */
const LISTS: Readonly<Record<string, string>> = {
  en: `a about after all also am an and any are as at be because been before being between both but by can could did do does during each
    for from had has have having he her here him his how i if in into is it its just many may me might more most much must my no of off on
    once only or other our out over own shall she should so some such than that the their them then there these they this those through to
    too under until up us very was we were what when where which while who whom whose why will with would you your aren couldn didn doesn don hadn hasn haven isn let shouldn wasn weren won wouldn`,
  de: `aber alle allem allen aller alles als also am an auch auf aus bei bin bis bist da damit dann das dass daß dein deine dem den denn der
    des dich die dies diese diesem diesen dieser dieses dir doch dort du durch ein eine einem einen einer eines er es etwas euch euer für
    gegen gibt habe haben hat hatte hatten ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in indem ins ist ja jede jedem jeden jeder jedes
    kann kannst können könnte man mein meine meinem meinen meiner mich mir mit muss müssen nach noch nun nur ob oder ohne sehr sein seine
    seinem seinen seiner sich sie sind so soll sollte sollten über um und uns unser unsere unter viel viele vom von vor wann war waren warum
    was weil welche welchem welchen welcher welches wenn wer werde werden wie wieder will wir wird wo wurde wurden zu zum zur zwischen`,
  fr: `à afin ai ainsi alors après as au aucun aussi autre autres aux avait avant avec avez avoir avons ce cela celle celles celui ces cet
    cette ceux chaque chez ci combien comme comment dans de des donc dont du elle elles en encore entre est est-ce et étaient était être eu
    eux fait faut furent il ils je jusque la laquelle le lequel les lesquels leur leurs lors lorsque lui ma mais me même mes moi mon ne nos
    notre nous on ont ou où par parce pas pendant peu peut peux plus pour pourquoi puis quand que quel quelle quelles quels qui quoi sa sans
    se sera ses si soit son sont sous sur ta te tes toi ton tous tout toute toutes très tu un une vers vos votre vous y`,
  es: `a al algo algún alguna algunas alguno algunos ante antes así aún aunque cada como cómo con contra cual cuál cuáles cuales cuando cuándo
    cuánta cuántas cuánto cuántos de del desde donde dónde dos durante e el él ella ellas ellos en entre era eran eres es esa esas ese eso
    esos esta está están estas este esto estos fue fueron ha había habían han hasta hay he la las le les lo los más me mi mis mucho muchos
    muy nada ni no nos nosotros nuestra nuestro o os otra otras otro otros para pero por porque pues puede pueden puedo que qué quién
    quiénes se según ser si sí sido sin sobre son soy su sus también tan tanto te tengo tiene tienen todo todos tu tus un una unas uno unos
    usted ustedes y ya yo`,
  it: `a ad agli ai al alla alle allo anche ancora avere aveva c che chi ci cioè coi col come con contro cosa cui da dagli dai dal dalla dalle
    dallo degli dei del della delle dello di dopo dove dov è e ed era erano essere fa fino fra gli ha hai hanno ho i il in io la le lei li
    lo loro lui ma me mi mia mie miei mio molto ne negli nei nel nella nelle nello noi non nostra nostro o ogni per perché però più posso
    prima può puoi qual quale quali quando quanta quante quanti quanto quella quelle quelli quello questa queste questi questo qui se sei si
    sia siamo sono sta su sua sue sugli sui sul sulla sulle sullo suo suoi tra tu tua tuo tutti tutto un una uno vi voi`,
  pt: `a à ainda ao aos aquela aquele aqueles aquilo as às até com como cada da das de dela dele deles depois do dos e é ela elas ele eles em
    entre era eram essa esse esses esta está estão estas este estes eu foi foram há isso isto já lhe mais mas me mesmo meu meus minha muito
    na não nas nem no nos nós nossa nosso num numa o onde os ou para pela pelas pelo pelos por porque pode podem posso qual quais quando
    quanta quantas quanto quantos que quem são se sem ser seu seus si só sob sobre sua suas também te tem têm tenho ter todo todos tu um uma
    umas uns você vocês`,
  nl: `aan al alle als altijd andere ben bij daar dan dat de deze die dit doen door dus een eens en er ge geen had hebben hebt heeft heb hem
    het hier hij hoe hoeveel hun iets ik in is ja je jij jou jouw jullie kan kun kunnen kunt maar me meer men met mij mijn moet moeten na
    naar niet niets nog nu of om omdat onder ons onze ook op over te tegen toch toen tot u uit uw van veel voor waar waarom wanneer want
    waren was wat we wel welk welke werd wezen wie wij wil worden wordt ze zei zelf zich zij zijn zo zonder zou`,
  pl: `a aby albo ale ani bardzo bez bo by być był była było były co czego czy dla do dlaczego dlatego do gdy gdzie go i ich ile im inne ja jak
    jaka jakie jaki jako jakim je jednak jego jej jest jestem jeszcze jeśli jeżeli już każdy kiedy kto która które którego której który
    których którym którzy ku lub ma mają mam mi między mnie moje może można mój mu my na nad nam nas nasz nie nich nim niż o od on ona one
    oni ono oraz po pod podczas ponieważ poza przed przez przy się są ta tak także tam te tego tej ten też to tu tych tylko tym u w we wam
    was więc wszystko z za ze że`,
  ru: `а без более больше будет будут бы был была были было быть в вам вас весь во вот все всё всего всех вы где да даже для до его ее её если
    есть еще ещё же за здесь и из или им их к как какая какие какой какого когда ко которая которого которые который кто ли либо мне может
    можно мой моя мы на над надо нам нас наш не него нее неё нет ни них но ну о об однако он она они оно от очень по под после потому почему
    при про с сам свой себя сколько со так также там те тем то того тоже той только том тот ты у уже хотя чего чей чем что чтобы эта эти это
    этого этой этом этот я`,
  tr: `acaba ama ancak arada aslında bana bazı belki ben beni benim bile bir biri birkaç biz bize bizi bizim bu buna bunda bundan bunlar bunu
    bunun çok çünkü da daha dahi de defa değil diye eğer en gibi hangi hem hep hepsi her hiç için ile ise kaç kadar ki kim kime kimi mı mi
    mu mü nasıl ne neden nerde nerede nereye niçin niye o olan olarak oldu olduğu olur ona onlar onlara onları onların onu onun oysa pek
    sen seni senin siz size sizi sizin şey şu şuna şunlar şunu tarafından tüm var vardır ve veya ya yani yok`,
}

const SETS = new Map(Object.entries(LISTS).map(([language, words]) => [language, new Set(words.split(/\s+/))]))

export const stopWordsOf = (language: string): ReadonlySet<string> => SETS.get(language) ?? new Set()

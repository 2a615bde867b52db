"""The 2048 English words in which a fingerprint can be read aloud; a word stands for 11 bits, its place in the list.

Of three to eight letters, none the beginning of another; of words that sound alike only one is here. The order is
part of the format (docs/spec/item.md): a word is never replaced, moved or added.
"""

from __future__ import annotations

from typing import Final

_LIST: Final = """
ability able aboard about above abroad absent absorb accent accept account acorn acrobat across action active actor
actual adapt address adjust admire admit adult advance advice affair afford afraid after again agency agenda agree
ahead aim airport aisle alarm album alert algebra alley allow almond almost alone along alpine already also always
amaze amber among amount ample amuse anchor ancient angle animal ankle annual answer antenna antique anvil any apart
apple approve april apron arcade archive arctic area arena argue armour around arrange arrive arrow artist ask
asleep aspect assist assume athlete atlas atom attach attend attic auction august author autumn avenue average avoid
awake award aware away awkward baby back bacon badge bag baker balance balcony ballet balloon bamboo banana band
banjo bank banner barber bargain barley barn barrel base basic basil basin basket bath battery beak beam bean beard
beast beauty beaver become bed beef beetle before begin behave behind believe bell belong below bench bend benefit
beside best better between beyond bicycle big bike bill biology bird birth biscuit bison bite bitter black blanket
blaze blend bless blink block blossom blouse blue boat boil bolt bonfire bonus book boost boot border borrow both
bottle bottom boulder bounce bowl box bracket brain branch brand brass brave bread breeze brew brick bride bridge
brief bright bring brisk broad broccoli broken bronze broom brown brush bubble bucket buckle budget buffalo build
bulb bulk bumper bundle bunker burger burst bush busy butter button buyer buzz cabbage cabin cable cactus cage cake
calm camel camera camp canal candle candy canoe canvas canyon capable capital captain caramel carbon card cargo
carpet carrot carry cart carve cash castle casual catalog catch cattle caught cause celery cement centre century
certain chain chair chalk champion chance change chapter charge charm chart chase chat cheap check cheer cheese chef
cherry chess chicken chief child chimney chip choice choose chorus chunk cider cinema circle circus citizen city
civil claim clap clarify class clay clean clerk clever click client cliff climb clinic clip clock close cloth cloud
clover clown club clue cluster coach coal coast coconut code coffee coin cold collar collect colony colour column
combine comet comfort comic common company compass concert cone confirm connect consider control convince cook
copper copy coral core cork corner correct cost cottage cotton couch cough country couple courage cousin cover cow
crab craft crane crayon cream create credit crew cricket crisp critic crop cross crowd crown crumb crunch crust
crystal cube cuckoo culture cupboard curious current curry curtain curve cushion custom cycle daily dairy daisy damp
dance dare dark dash date daughter dawn day deal debate decade december decide deck decline decorate deep defend
define degree delay deliver demand denim dental deny depart depend deposit depth deputy derive describe desert
design desk detail detect develop device devote diagram dial diamond diary dice diet differ digit dignity dilemma
dinner dinosaur direct disagree discover dish dismiss display distance ditch divide doctor document dog doll dolphin
domain donate donkey donor door double dough dove down dozen draft dragon drama drawer dream dress drift drill drink
drip drive drop drum dry duck dune during duty dynamic eager eagle early earth easel easy echo eclipse economy edge
edit educate effort egg eight either elastic elbow elder electric elegant element elephant elevator eleven elite
else embark embrace emerge emotion employ empty enable enact endorse energy engage engine enjoy enlist enough enrich
enroll ensure enter entire entry envelope episode equal equip era error escape essay essence estate eternal ethics
evening event ever evolve exact example excess exchange excite exclude excuse execute exercise exhibit exist exit
exotic expand expect expert explain explore export express extend extra eyebrow fable fabric face factory faculty
fade fairy faith fall family famous fancy fantasy farm fashion fast father faucet favour feast feather feature
february feed feel felt fence fern ferry fertile festival fetch few fiber fiction fiddle field fifteen fifty figure
file film final find finger finish fire firm first fish fit fix flag flame flamingo flash flat flavour flight flint
flip float flock flood floor florist fluid flush flute fly foam focus fog foil folk follow food football forest
forget fork fortune forty forum forward fossil foster found fountain fox fragile frame freedom freeze freight fresh
friday fridge friend fringe frog front frost frown frozen fruit fuel funnel funny future gadget gain galaxy gallery
gallon game gap garage garden garlic garment gas gate gather gauge gazelle gear gecko gem general genius gentle
genuine geology gesture geyser giant gift ginger giraffe girl give glacier glad glance glass glaze glide glimpse
globe glory glove glow glue goal goat goblet golf gondola good goose gorilla gossip govern grab grace grain grammar
grand granite grant grape graph grass gravel gravity gravy green greet grey grid grill grip grocery groom groove
ground group grow guard guide guitar gulf gull gum gutter gym gypsum habit half hall hammer hamster handle hangar
happen happy harbour hard harmony harness harp harvest hatch have hawk hay hazel hazy head health heap heart heavy
hedgehog height helmet help hen herald herb heron hidden high hike hill hinge hint hippo history hive hobby hockey
hold holiday holly home honey hoof hook hope horizon horn horse hospital host hotel hover hub human humble humour
hundred hungry hurdle hurry hut hydrogen ice icicle icon idea identify igloo image imagine imitate immense immune
impact impose improve impulse inch include income increase index indicate indoor industry infant inform inhale
inherit initial inject ink inner innocent input inquiry inside inspire install intact interest into invest invite
involve iris iron island isolate issue item ivory ivy jacket jaguar jam january jar jasmine jazz jeans jelly jersey
jet jewel jigsaw job jockey join jolly journal journey joy juggle juice july jumble jump june jungle just kangaroo
kayak keen keep kennel kettle key kidney kimono kind kingdom kiosk kitchen kite kitten kiwi knit knock koala label
labour lace ladder lady lagoon lamb land lane language lantern lap large laser last laugh laundry lavender lawn
layer leaf league learn leather leave lecture left legal legend lemon length lens lentil leopard letter lettuce
level lever liberty library licence lid life lift light like lilac lily limb limit linen link lion liquid listen
litre little lizard llama load loaf loan lobby lobster local lodge logic long loop lorry lotus lounge love loyal
lucky luggage lumber lunar lunch lute luxury lyric machine magazine magic magnet magpie major make mallet mammal
manage mango manner mansion manual maple marathon marble march margin marine market marriage marsh mask mass master
match material matrix matter mattress maximum meadow measure mechanic medal media medium melody melon melt member
memory mention menu mercy mermaid merry mesh message metal meteor method middle midnight mild milk mineral minimum
minister mint minute miracle mirror mission mitten mixture mobile model modern modest modify module mole moment
monitor monkey monsoon month monument moon moose moral mosaic mosquito moss most mother motion motor mountain mouse
mouth movie much mud muffin mule multiply museum mushroom music mustard mutual myself mystery myth name napkin
narrow nation native nature navy near neat nectar needle neglect nephew network next nickel niece night nimble nine
nod noise noodle normal north nose notable note notice novel november now number nurse nutmeg nylon oak oar oasis
object observe obtain obvious occur ocean october octopus odour offer often okay old olive olympic once onion online
only onto opal open opera opinion option oracle orange orbit orchard orchid order ordinary organ orient origin other
otter ought ounce outdoor outer outlet output outside oval oven owl owner oxygen oyster ozone paddle page paint
palace palm panda panel panther papaya paper parade parcel parent park parrot parsley party passage pasta pastry
path patient pattern pave paw peach peacock peanut pebble pelican pencil penguin people pepper perfect perfume
perhaps period permit person petal phase phone photo phrase physical piano pick picnic picture pigeon pillow pilot
pine pioneer pipe pitch pizza place planet plank plant plaster plastic plate play plaza please pledge plenty plot
plough pluck plug plural pocket poem poet point polar polish polite pond pony pool poppy popular porch portrait
possible potato pottery pouch powder power practice praise prawn prefer prepare present pretty prevent price pride
primary print priority prism private prize problem process produce program project promote proof property prosper
protect proud provide public pudding pull pulp pulse puma pumpkin pupil puppet puppy purchase purple purpose purse
push put puzzle pyramid quail quality quantum quarry quarter query question quick quiet quill quilt quince quiz
quote rabbit raccoon rack radar radio radish raft rail raisin rally ramp ranch random range rapid rare rate rather
raven razor reach react ready real reason rebuild recall receive recipe record recycle reduce reflect reform region
regular relax release relief rely remain remember remind remove render renew rent reopen repair repeat replace reply
report rescue resemble resist resource response result retire retreat return reunion reveal review reward rhino
rhubarb rhythm ribbon rich ridge rigid ring ripple rise risk ritual rival river roast robin robot robust rocket rod
romance roof rope rotate rough round rover rubber ruby rudder rugby runway rural rust saddle safari safe saffron
salad salary salmon salon salt salute same sample sandal sapling satin satisfy saucer sausage scale scan scarf
scatter school science scissors scooter scope score scout scrap screen script scroll scrub seal search season seat
second secret section security seek segment select self seminar senior sense sentence separate sequence series
service session settle setup seven shadow shaft shake shallow shape share sharp shed sheep sheet shelf shell shelter
shield shift shine ship shirt shiver shoe shop short shoulder shout shovel shower shrimp shrub shrug shuffle shuttle
sibling side signal silent silk silly silver similar simple since siren situate six size skate sketch skill skirt
sky slab sleep sleeve slender slice slide slight slipper slope slot slow small smart smell smile smooth snack snail
snake snap sneeze snow soap soccer social sock soda sofa soft soil solar solid solution solve someone song soon
sound soup south soya space spare spark speak special speed spell spend sphere spice spider spike spinach spirit
split sponsor spoon sport spot spray spread spring sprout square squash squid squirrel stable stadium staff stage
stamp stand start state station statue stay steam stem step stereo stick still sting stirrup stock stomach stone
stool story stove strategy straw stream street strong student studio stuff stumble sturdy style subject submit
subway success such sudden sugar suggest suit summer summit sunset super supply supreme sure surface surge surprise
surround survey sustain swan swap swarm sweater swift swim swing switch symbol syrup system table tackle tactic
tadpole tailor talent talk tambour tango tank tape target tariff taste tavern taxi teach team teapot tell tenant
tennis tent term terrace text thank that theatre theme then theory there thermal they thicket thimble thing think
third thirsty thirty thistle thorn thought thousand thread three thrive throw thrush thumb thunder thursday thyme
ticket tidy tie tiger tilt timber time tiny tip tissue title toast today toddler toffee together token tomato
tomorrow tone tongue tonight tool tooth topaz topic torch tortoise total toucan touch tour toward towel tower town
toy track tractor trade traffic trail train transfer travel tray treasure treat tree trend trial tribe trigger trim
trio trophy trout truck true truly trumpet trunk truth try tube tuesday tuition tulip tuna tundra tunnel turban
turbine turkey turnip turtle tutor twelve twenty twice twig twilight twin type typical umbrella uncle under unfold
uniform union unique unit universe unknown unlock until unveil update upgrade uphold upon upper upright upset
upstairs urban useful usher usual utility utter vacuum valid valley value valve vanilla vanish vapour variety
various vase vault vector vehicle velvet vendor venture venue verb verify version very vessel vest veteran viable
vibrant video view village vinegar vintage vinyl violet violin virtual visa visit visual vital vivid vocal voice
volcano volley volume vote voucher vowel voyage vulture waffle wage wagon walk wallet walnut walrus waltz want warm
warning wash watch water wax wealth weasel weave web wedding weekend welcome well west wharf wheat wheel when while
whisper whistle white wide width willow window wing winner winter wire wisdom wise with witness wizard wolf woman
wombat wonder wool word work worth woven wreath wrist yacht yard yarn year yeast yellow yes yet yield yoga yoghurt
young youth zebra zenith zero zigzag zinc zipper zodiac zone zoom
"""
WORDS: Final[tuple[str, ...]] = tuple(_LIST.split())

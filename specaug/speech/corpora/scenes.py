"""The tables of the grammar: who does what to what, where, why, and what follows.

Three lines a scene, fields parted by colons and choices by semicolons:

    one many pronoun : base present past
    objects : places
    reasons : base present past : what follows

`was/is` is the past and the other form of a word; `~` is the possessive of the subject. A scene's words
belong together, and some sound like words of other scenes (flour and flower, tale and tail, right
and write), so that context tells what sound alone cannot.
"""

SMALL = """
baker bakers he : bake bakes baked
brown bread; white bread : in the oven
the children were/are hungry : sing sings sang : a song
farmer farmers she : feed feeds fed
the brown cows; the white sheep : in the barn
the cows were/are hungry : go goes went : home
sailor sailors he : sail sails sailed
the old boat; the white ship : across the sea
the wind was/is strong : go goes went : home
teacher teachers she : teach teaches taught
the children; a song : at school
the school was/is old : sing sings sang : a song
"""

FULL = """
baker bakers he : bake bakes baked
fresh bread; apple pies; cakes of white flour : in the stone oven; at the bakery
the guests wanted/want a warm breakfast : sell sells sold : everything before noon
farmer farmers he : feed feeds fed
the brown cows; the hungry pigs; the woolly sheep : in the barn; behind the farm
the animals were/are hungry : close closes closed : the wooden gate
teacher teachers she : teach teaches taught
the little children; a difficult lesson : at the village school
the pupils wanted/want to learn : ring rings rang : the bell for dinner
doctor doctors she : treat treats treated
a broken arm; the sick patient : in the hospital; at the clinic
the pain was/is very bad : write writes wrote : a note to the nurse
sailor sailors he : sail sails sailed
the wooden ship; a small boat : across the stormy sea; around the island
the wind was/is strong : drop drops dropped : the anchor in the harbour
gardener gardeners she : water waters watered
the red roses; a yellow flower : in the garden; beside the fence
the soil was/is dry : cut cuts cut : the green grass
painter painters he : paint paints painted
a portrait of the queen; bright pictures : in the studio; on the white wall
the colours looked/look beautiful : wash washes washed : the dirty brushes
singer singers she : sing sings sang
a sad song; an old melody : on the stage; with the choir
the audience loved/loves music : smile smiles smiled : to the crowd
driver drivers he : drive drives drove
the yellow bus; a heavy truck : along the narrow road; through the city
the passengers were/are late : stop stops stopped : at the traffic lights
pilot pilots she : fly flies flew
the silver plane; a helicopter : over the mountains; above the clouds
the sky was/is clear : land lands landed : safely at the airport
fisherman fishermen he : catch catches caught
a big fish; seven salmon : in the deep river; with a strong net
the market needed/needs fresh fish : row rows rowed : slowly back to the shore
postman postmen he : deliver delivers delivered
a thick letter; the heavy parcel : to the blue house
the address was/is right : ride rides rode : away on ~ bicycle
judge judges she : hear hears heard
the strange case; every witness : in the crowded court
the crime was/is serious : send sends sent : the prisoner to jail
soldier soldiers he : guard guards guarded
the castle; the bridge : with a sharp sword; against the enemy
the king was/is afraid : march marches marched : to the sound of drums
cook cooks he : boil boils boiled
six eggs; the potatoes : in a large pot; on the kitchen stove
the family liked/likes simple food : add adds added : a pinch of salt and pepper
butcher butchers he : chop chops chopped
the red meat; slices of ham : with a sharp knife; behind the counter
the customers were/are waiting : wrap wraps wrapped : it in brown paper
tailor tailors she : sew sews sewed
a wedding dress; the torn shirt : with needle and thread; by the window
the bride had/has nothing to wear : iron irons ironed : the white sleeves
shepherd shepherds he : count counts counted
the lambs; all the goats : on the green hill; at the edge of the meadow
the wolf was/is near : whistle whistles whistled : for ~ faithful dog
miner miners he : dig digs dug
a deep tunnel; black coal : under the mountain; with pick and shovel
the factory burned/burns coal : climb climbs climbed : up into the daylight
hunter hunters he : chase chases chased
the red fox; a wild boar : through the dark forest; across the muddy field
the fur was/is worth a fortune : load loads loaded : ~ rifle again
student students she : pass passes passed
the final exam; a hard test : in mathematics; at the university
the answers were/are correct : borrow borrows borrowed : three books from the library
scientist scientists she : study studies studied
distant stars through a telescope; the planets : in the laboratory
the results were/are surprising : publish publishes published : a famous article
musician musicians he : play plays played
the violin; a slow waltz : in the concert hall; for the dancers
the orchestra needed/needs practice : tune tunes tuned : the strings of ~ guitar
queen queens she : wear wears wore
a golden crown; a purple robe : at the royal palace; during the ceremony
the prince was/is getting married : wave waves waved : from the balcony
king kings he : rule rules ruled
the kingdom; a distant land : with great wisdom; from the ivory throne
the people trusted/trust the crown : give gives gave : gold and silver to the poor
mother mothers she : tell tells told
a bedtime story; a fairy tale : to the sleepy child; beside the fire
the baby was/is still awake : turn turns turned : off the bedroom light
father fathers he : mend mends mended
the broken chair; the leaking roof : with hammer and nails; in the shed
the rain was/is coming in : put puts put : ~ tools back in the box
nurse nurses she : bring brings brought
clean bandages; the bitter medicine : to the wounded man; to the hospital bed
the wound was/is deep : take takes took : ~ temperature
waiter waiters he : serve serves served
hot soup; roast chicken; cold lemonade : at the corner table; in the restaurant
the guests were/are thirsty : fold folds folded : the clean napkins
banker bankers she : lend lends lent
a lot of money; ten thousand pounds : to the shop owner; at a low interest
the loan was/is safe : lock locks locked : the iron vault with a key
thief thieves he : steal steals stole
the diamond ring; a precious necklace : from the jewel box; out of the museum
the alarm was/is broken : hide hides hid : behind a heavy curtain
policeman policemen he : arrest arrests arrested
a dangerous criminal; the robber : at the railway station; after the robbery
the law was/is clear : blow blows blew : ~ whistle twice
builder builders he : build builds built
a brick house; a tall tower : out of stone and cement; on solid ground
the old walls were/are weak : pay pays paid : the workers their wages
carpenter carpenters he : make makes made
a round table; oak shelves : in the workshop; with a plane and a saw
the timber was/is cheap : sweep sweeps swept : the dust from the floor
dog dogs it : chew chews chewed
an old bone; a leather shoe : under the kitchen table; in ~ basket
the puppy was/is bored : wag wags wagged : ~ long tail
cat cats it : watch watches watched
a grey mouse; the goldfish : in the cellar; from the window sill
the milk was/is gone : lick licks licked : ~ soft paws
horse horses it : pull pulls pulled
the heavy cart; the rusty plough : up the steep hill; through the mud
the load was/is due in town : eat eats ate : oats and hay in the stable
bee bees it : gather gathers gathered
sweet nectar; golden pollen : from the flowers; in the warm sunshine
the hive needed/needs honey : buzz buzzes buzzed : back to the nest
monkey monkeys it : peel peels peeled
a ripe banana; an orange : at the top of the tree; in the jungle
the fruit was/is juicy : swing swings swung : from branch to branch
mechanic mechanics she : fix fixes fixed
the engine of the car; a flat tyre : in the garage; beside the motorway
the brakes were/are worn : check checks checked : the oil and the battery
astronaut astronauts she : explore explores explored
the surface of the moon; a rocky crater : in a space suit
the rocket had/has enough fuel : return returns returned : to planet earth
dentist dentists she : clean cleans cleaned
the white teeth; a rotten tooth : with a tiny mirror; under a bright lamp
the gums were/are sore : rinse rinses rinsed : the mouth with cold water
climber climbers she : reach reaches reached
the highest peak; the frozen summit : with ropes and boots; before the storm
the weather was/is perfect : plant plants planted : a flag in the snow
grandmother grandmothers she : knit knits knitted
a woollen scarf; warm socks : in ~ rocking chair; near the fireplace
the evenings were/are long and cold : pour pours poured : a cup of black tea
barber barbers he : trim trims trimmed
the grey beard; curly hair : with comb and scissors; at the end of the street
the bridegroom had/has to look smart : hold holds held : up a little mirror
lawyer lawyers he : sign signs signed
the contract; a secret document : with a fountain pen; at the office
the deal was/is fair : shake shakes shook : hands with the client
tourist tourists she : visit visits visited
the ancient temple; the famous cathedral : with a guide; by coach
the ticket was/is free : buy buys bought : a postcard for ~ friends
actor actors he : learn learns learned
the leading part; every line of the play : for the theatre; by heart
the director was/is strict : forget forgets forgot : the last words
referee referees he : start starts started
the football match; the second half : in the stadium; at three in the afternoon
the teams were/are ready : show shows showed : the goalkeeper a red card
"""
